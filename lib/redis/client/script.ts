import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { RedisPort } from './port.js';

/** How many arguments each command needs behind its key. Servers check that, and each argument of DEL is a key. */
const behindKey = {
  DEL: 0,
  HDEL: 1,
  HINCRBY: 2,
  HMGET: 1,
  HSET: 2,
  HSETNX: 2,
  PEXPIRE: 1,
  SET: 1,
  XACK: 2,
  XADD: 3,
  XCLAIM: 4,
  XDEL: 1,
  XLEN: 0,
  XPENDING: 1,
  XRANGE: 2,
  ZADD: 2,
  ZCARD: 0,
  ZRANGE: 2,
  ZRANGEBYSCORE: 2,
  ZREM: 1,
  ZSCORE: 1,
} as const;

/**
 * Returns Lua that ends the script with NOPERM if the user may not run one of these commands on the first key. Without
 * it a script ends at that command, after its earlier writes. Redis 6.2 has no such check.
 */
export function allowed(...commands: ReadonlyArray<keyof typeof behindKey>): string {
  const checks = commands.map((name) => {
    const given = Array.from({ length: behindKey[name] }, () => ", '1'").join('');
    return `
  if not redis.acl_check_cmd('${name}', KEYS[1]${given}) then return denied('${name}') end`;
  });
  return `
if redis.acl_check_cmd then
  local function denied(name)
    return redis.error_reply('NOPERM the user of the connection may not run ' .. name)
  end${checks.join('')}
end
`;
}

/**
 * A script that the server runs as one step. The server keeps it by its hash, until it restarts or gets SCRIPT FLUSH.
 */
export class Script {
  readonly #source: string;
  readonly #hash: string;

  constructor(source: string) {
    this.#source = source;
    this.#hash = createHash('sha1').update(source).digest('hex');
  }

  /** Runs the script. All keys that it uses are in `keys`, and have one hash tag, so that a cluster can run it. */
  async run(
    port: RedisPort,
    keys: readonly string[],
    args: ReadonlyArray<string | number | Buffer>,
    options?: { readonly bytes?: boolean },
  ): Promise<unknown> {
    const given = [
      String(keys.length),
      ...keys,
      ...args.map((arg) => (Buffer.isBuffer(arg) ? arg : String(arg))),
    ];
    try {
      return await port.send(['EVALSHA', this.#hash, ...given], options);
    } catch (error) {
      if (!(error instanceof Error && /^-?NOSCRIPT\b/.test(error.message))) throw error;
      return await port.send(['EVAL', this.#source, ...given], options);
    }
  }
}
