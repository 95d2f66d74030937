import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { RedisPort } from './port.js';

/**
 * Returns the beginning of a script that refuses to run for a user who may not run one of these commands on the first
 * key: the script would end at that command, with half of its writes done. Redis 6.2 cannot tell.
 */
export function allowed(...commands: readonly string[]): string {
  return `
if redis.acl_check_cmd then
  for _, name in ipairs({ '${commands.join("', '")}' }) do
    if not redis.acl_check_cmd(name, KEYS[1], 'a', 'b', 'c') then
      return redis.error_reply('NOPERM the user of the connection may not run ' .. name)
    end
  end
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
