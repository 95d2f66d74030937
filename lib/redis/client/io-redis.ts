import type { Buffer } from 'node:buffer';
import { Options, optionError } from '../../input/index.js';
import { connected, ignoreErrors, type RedisPort } from './port.js';

type Given = Readonly<Record<string, unknown>>;

/** What `ioRedis` uses of a client of the package `ioredis`, version 5 or 6: `Redis` or `Cluster`. */
export interface IoRedisClient {
  /** Sends a command. */
  call(...args: never[]): Promise<unknown>;
  /** Sends a command; bulk strings of the reply are Buffers. */
  callBuffer(...args: never[]): Promise<unknown>;
  /** Makes another client with the same options, and with those given. */
  duplicate(...args: never[]): unknown;
  /** Closes the connection at once. */
  disconnect(): void;
}

interface Client {
  readonly options?: Given;
  readonly isCluster?: boolean;
  on(event: 'error', listener: () => void): unknown;
  connect(): Promise<unknown>;
  disconnect(): void;
  duplicate(...args: readonly unknown[]): Client;
  call(...args: readonly (string | Buffer)[]): Promise<unknown>;
  callBuffer(...args: readonly (string | Buffer)[]): Promise<unknown>;
}

const where = 'ioRedis';

/**
 * What the options of a client must be, and why. The defaults of ioredis run a command again when its reply is lost,
 * and run it after its caller has given up.
 */
const demands: readonly (readonly [name: string, wanted: unknown, why: string])[] = [
  ['enableOfflineQueue', false, 'a command would run after its caller has given up'],
  ['autoResendUnfulfilledCommands', false, 'a command whose reply was lost would run twice'],
  ['maxRetriesPerRequest', 0, 'a command whose connection is lost would never be answered'],
];
/** What the options of a cluster's client itself must be; the others stand in its `redisOptions`. */
const demandsOfCluster = demands.filter(([name]) => name === 'enableOfflineQueue');
const demandsOfServers = demands.filter(([name]) => name !== 'enableOfflineQueue');

/**
 * Makes a port of a client of the package `ioredis`, of one server or of a cluster. The program listens for the
 * client's errors and closes it.
 *
 * @param client A `Redis` with `enableOfflineQueue: false`, `autoResendUnfulfilledCommands: false`,
 *   `maxRetriesPerRequest: 0` and without `enableAutoPipelining`; or a `Cluster` with `enableOfflineQueue: false` and
 *   the other two in its `redisOptions`. It must not have a `keyPrefix`.
 * @returns The port.
 * @throws TypeError (`ERR_SLUICE_OPTION`) that names the option of the client that is not safe.
 * @example
 * const redis = ioRedis(
 *   new Redis(6379, '127.0.0.1', {
 *     enableOfflineQueue: false,
 *     autoResendUnfulfilledCommands: false,
 *     maxRetriesPerRequest: 0,
 *   }),
 * );
 */
export function ioRedis(client: IoRedisClient): RedisPort {
  const given = client as unknown as Client;
  if (!isClient(given)) {
    throw optionError(`${where}: client`, 'a client of the package ioredis, version 5 or 6', client, true);
  }
  const options = given.options as Given;
  const isCluster = given.isCluster === true;
  const perServer = isCluster ? ((options['redisOptions'] ?? {}) as Given) : options;
  for (const [name, wanted, why] of isCluster ? demandsOfCluster : demands)
    demand(options, '', name, wanted, why);
  if (isCluster) {
    for (const [name, wanted, why] of demandsOfServers)
      demand(perServer, 'redisOptions: ', name, wanted, why);
  }
  for (const [path, where] of [['', options] as const, ['redisOptions: ', perServer] as const]) {
    // ioredis loses the name of a command of callBuffer() then.
    if (where['enableAutoPipelining'] === true) {
      throw unsafe(`${path}enableAutoPipelining`, 'false: replies in bytes would fail', true);
    }
    if (typeof where['keyPrefix'] === 'string' && where['keyPrefix'] !== '') {
      throw unsafe(
        `${path}keyPrefix`,
        'none: write the prefix into the names of the keys',
        where['keyPrefix'],
      );
    }
  }
  return portOf(given, isCluster);
}

function isClient(value: Client): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.options === 'object' &&
    value.options !== null &&
    (['call', 'callBuffer', 'duplicate', 'disconnect', 'connect', 'on'] as const).every(
      (name) => typeof value[name] === 'function',
    )
  );
}

function demand(options: Given, path: string, name: string, wanted: unknown, why: string): void {
  if (options[name] !== wanted) throw unsafe(`${path}${name}`, `${wanted}: ${why}`, options[name]);
}

function unsafe(name: string, expected: string, received: unknown): Error {
  return optionError(`${where}: option ${name} of the client`, expected, received, true);
}

function portOf(client: Client, isCluster: boolean): RedisPort {
  return {
    isCluster,
    send(args, options) {
      const bytes = new Options('send', options, ['bytes']).boolean('bytes', false);
      return bytes ? client.callBuffer(...args) : client.call(...args);
    },
    async duplicate() {
      const own = { lazyConnect: true, retryStrategy: null };
      const made = isCluster ? client.duplicate([], { lazyConnect: true }) : client.duplicate(own);
      ignoreErrors(made);
      await connected(made.connect(), () => made.disconnect());
      return portOf(made, isCluster);
    },
    close: () => client.disconnect(),
  };
}
