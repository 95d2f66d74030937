import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { RedisPort } from './port.js';

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
