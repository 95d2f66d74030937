import { Buffer } from 'node:buffer';
import { Options, optionError } from '../../input/index.js';
import { connected, ignoreErrors, keyOf, type RedisPort } from './port.js';

type Args = readonly (string | Buffer)[];
type Given = Readonly<Record<string, unknown>>;

/** What `nodeRedis` uses of a client of the package `redis`, version 5 or 6: `createClient()` or `createCluster()`. */
export interface NodeRedisClient {
  /** Sends a command; the arguments of a cluster's differ. */
  sendCommand(...args: never[]): Promise<unknown>;
  /** Returns the same client with other types for its replies. */
  withTypeMapping(mapping: never): unknown;
  /** Makes another client with the same options, and with those given. */
  duplicate(overrides?: never): unknown;
  /** Closes the connection at once. */
  destroy(): void;
}

interface Client {
  readonly options?: Given;
  readonly _options?: Given;
  readonly nodeClient?: unknown;
  readonly getSentinelNode?: unknown;
  on(event: 'error', listener: () => void): unknown;
  connect(): Promise<unknown>;
  destroy(): void;
  duplicate(overrides: Given): Client;
  withTypeMapping(mapping: Readonly<Record<number, unknown>>): Client;
  sendCommand(...args: readonly unknown[]): Promise<unknown>;
}

/** The code of a bulk string in the protocol, by which node-redis names the type. */
const bulkString = '$'.charCodeAt(0);
const where = 'nodeRedis';

/**
 * Makes a port of a client of the package `redis` (node-redis), of one server or of a cluster. The program connects the
 * client, listens for its errors and closes it.
 *
 * The options of the client must be safe for orders: an offline queue would run a command after its caller has given
 * up.
 *
 * @param client What `createClient` or `createCluster` returned, with `disableOfflineQueue: true` (for a cluster, in
 *   `defaults`).
 * @returns The port.
 * @throws TypeError (`ERR_SLUICE_OPTION`) that names the option of the client that is not safe; also for a client of
 *   `createSentinel`: with Sentinel use `ioRedis`.
 * @example
 * const client = createClient({ url: 'redis://127.0.0.1:6379', disableOfflineQueue: true });
 * client.on('error', report);
 * await client.connect();
 * const redis = nodeRedis(client);
 */
export function nodeRedis(client: NodeRedisClient): RedisPort {
  const given = client as unknown as Client;
  if (!isClient(given)) {
    throw optionError(`${where}: client`, 'a client of the package redis, version 5 or 6', client, true);
  }
  if (typeof given.getSentinelNode === 'function') {
    // It repeats commands and changes connections unseen, so WAIT may ask another server than the script has run on;
    // and its options, which could forbid that, cannot be read.
    const expected = 'no client of createSentinel(): use ioRedis with the options sentinels and name';
    throw optionError(`${where}: client`, expected, client, true);
  }
  const isCluster = typeof given.nodeClient === 'function';
  const options = isCluster ? given._options : given.options;
  if (typeof options !== 'object' || options === null) {
    throw optionError(`${where}: options of the client`, 'an object', options, true);
  }
  const perServer = isCluster ? ((options['defaults'] ?? {}) as Given) : options;
  const path = isCluster ? 'defaults: ' : '';
  demand(`${path}disableOfflineQueue`, perServer['disableOfflineQueue'], true);
  demand(`${path}keyPrefix`, perServer['keyPrefix'] ?? options['keyPrefix'], undefined);
  return portOf(given, isCluster);
}

function isClient(value: Client): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    (['sendCommand', 'withTypeMapping', 'duplicate', 'destroy', 'connect', 'on'] as const).every(
      (name) => typeof value[name] === 'function',
    )
  );
}

/** @throws TypeError if the option of the client has another value. */
function demand(name: string, value: unknown, wanted: true | undefined): void {
  if (value === wanted) return;
  const expected =
    wanted === undefined ? 'none: write the prefix into the names of the keys' : String(wanted);
  throw optionError(`${where}: option ${name} of the client`, expected, value, true);
}

function portOf(client: Client, isCluster: boolean): RedisPort {
  // With an empty mapping, so that a mapping of the program does not change the replies.
  const texts = client.withTypeMapping({});
  const buffers = client.withTypeMapping({ [bulkString]: Buffer });
  return {
    isCluster,
    send(args: Args, options) {
      const by = new Options('send', options, ['bytes']).boolean('bytes', false) ? buffers : texts;
      return isCluster ? by.sendCommand(keyOf(args), false, [...args]) : by.sendCommand([...args]);
    },
    async duplicate() {
      const made = client.duplicate(withoutReconnect(client, isCluster));
      ignoreErrors(made);
      await connected(made.connect(), () => close(made));
      return portOf(made, isCluster);
    },
    close: () => close(client),
  };
}

function close(client: Client): void {
  try {
    client.destroy();
  } catch {
    // It was closed before.
  }
}

/** Returns the options that keep a duplicate from reconnecting, where these are the client's own to give. */
function withoutReconnect(client: Client, isCluster: boolean): Given {
  if (isCluster) return {}; // a cluster's client reconnects to servers that come back
  const socket = client.options?.['socket'] as Given | undefined;
  return { socket: { ...socket, reconnectStrategy: false } };
}
