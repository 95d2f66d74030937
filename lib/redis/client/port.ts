import type { Buffer } from 'node:buffer';
import { optionError } from '../../input/index.js';
import { within } from './within.js';

/**
 * What sluice needs of a Redis client. `nodeRedis` and `ioRedis` make one; a program can write its own for another
 * client.
 */
export interface RedisPort {
  /**
   * Whether commands go to several servers, each to the master of its first key. WAIT has no key: so a `RedisStock`
   * with `durability` refuses such a port. Default: false.
   */
  readonly isCluster?: boolean;
  /**
   * Sends one command and returns its reply as the server sent it. A port of a cluster sends it to the master of its
   * first key.
   *
   * @param args The command and its arguments.
   * @param options `bytes`: bulk strings of the reply are Buffers.
   * @returns The reply: RESP 2 or 3, maps as a flat array, an array of pairs, an object or a Map.
   * @throws The client's error. The message of an error of the server begins with its code, such as `NOGROUP`.
   * @example
   * await port.send(['XLEN', 'shop:{x1}:orders']);
   */
  send(args: readonly (string | Buffer)[], options?: { readonly bytes?: boolean }): Promise<unknown>;
  /**
   * Opens another connection, on which a command may block. It does not reconnect: sluice opens a new one.
   *
   * @param forKey The key of which the commands on this connection will be. With a port of a cluster, commands of other
   *   keys may follow: a `RedisLimiter` with keys sends each to the master of its key.
   * @returns The port of the new connection.
   * @throws The client's error, within a few seconds.
   * @example
   * const blocking = await port.duplicate('shop:{x1}:orders');
   */
  duplicate(forKey: string): Promise<RedisPort>;
  /**
   * Closes the connection at once. Commands in flight are rejected.
   *
   * @throws Nothing.
   * @example
   * port.close();
   */
  close(): void;
}

/** How long a new connection may take until it is ready, in milliseconds. */
export const connectMs = 5_000;

/**
 * Waits until a new client is connected. If that fails or takes too long, closes the client: that of a cluster would go
 * on trying.
 */
export async function connected(connecting: Promise<unknown>, close: () => void): Promise<void> {
  try {
    await within(connectMs, connecting);
  } catch (error) {
    close();
    throw error;
  }
}

/** Checks that `value` has the three functions of a port. */
export function checkedPort(where: string, value: unknown): RedisPort {
  const port = value as Partial<Record<keyof RedisPort, unknown>> | null | undefined;
  const isPort =
    typeof port === 'object' &&
    port !== null &&
    (['send', 'duplicate', 'close'] as const).every((name) => typeof port[name] === 'function');
  if (!isPort) throw optionError(`${where}: redis`, 'what nodeRedis() or ioRedis() returned', value, true);
  return port as RedisPort;
}

/** Returns the first key of a command, by which a cluster finds its server; undefined for a command without keys. */
export function keyOf(args: readonly (string | Buffer)[]): string | Buffer | undefined {
  switch (args[0]) {
    case 'EVAL':
    case 'EVALSHA':
      return args[3];
    case 'XREADGROUP':
      return args[args.indexOf('STREAMS') + 1];
    case 'XGROUP':
    case 'XINFO':
    case 'MEMORY':
      return args[2];
    case 'CONFIG':
    case 'INFO':
    case 'PING':
    case 'WAIT':
    case 'WAITAOF':
      return undefined;
    default:
      return args[1];
  }
}

/** Ignores the error events of a client, whose commands reject anyway: an event without a listener ends the process. */
export function ignoreErrors(client: { on(event: 'error', listener: () => void): unknown }): void {
  client.on('error', () => {});
}
