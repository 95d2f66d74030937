import type { RedisPort } from 'sluice/redis';

type Args = Parameters<RedisPort['send']>[0];

/** What a test does to the calls of a port. Each gets a function that makes the call of the port itself. */
export interface Tampering {
  readonly send?: (args: Args, send: () => Promise<unknown>) => Promise<unknown>;
  readonly duplicate?: (duplicate: () => Promise<RedisPort>) => Promise<RedisPort>;
}

/** Returns a port that calls `port`, and whose calls, and those of its duplicates, a test can change. */
export function tampered(port: RedisPort, by: Tampering): RedisPort {
  const { send = (_, call) => call(), duplicate = (call) => call() } = by;
  return {
    send: (args, options) => send(args, () => port.send(args, options)),
    duplicate: (key) => duplicate(async () => tampered(await port.duplicate(key), by)),
    close: () => port.close(),
  };
}
