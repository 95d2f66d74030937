import { createHash } from 'node:crypto';
import { optionError } from '../../input/index.js';
import type { Key } from '../../limiter/index.js';

/**
 * The names of a limiter's keys: `prefix:{name}:limiter`, or for each key of a keyed limiter
 * `prefix:{name:<hash>}:limiter`. A decision is about one key, so each can have a hash tag of its own, and a cluster
 * spreads them over its masters. A key is what a client chose. Its SHA-256 has no braces, no length that the client
 * chooses, and tells nobody who reads the server's keys an address; 128 bits of it suffice, because a client that finds
 * two keys with one hash gets one limit for both.
 */
export class LimiterKeys {
  readonly #begin: string;

  constructor(where: string, prefix: unknown, name: unknown) {
    const prefixes = '1 to 128 characters, none of them a brace, a space or a control character';
    const names = "1 to 64 letters, digits, '.', '_' and '-'";
    this.#begin = `${checked(where, 'prefix', prefix, /^[^\s\p{C}{}]{1,128}$/u, prefixes)}:{${checked(where, 'name', name, /^[\w.-]{1,64}$/, names)}`;
  }

  /** The key of the server for a key of the limiter; undefined: of a limiter without keys. */
  of(key: Key | undefined): string {
    if (key === undefined) return `${this.#begin}}:limiter`;
    // As UTF-16, which tells texts apart that are no Unicode. 1, 1n and '1' are three keys.
    const hash = createHash('sha256')
      .update(`${typeof key} ${String(key)}`, 'utf16le')
      .digest();
    return `${this.#begin}:${hash.toString('base64url', 0, 16)}}:limiter`;
  }
}

function checked(where: string, option: string, value: unknown, form: RegExp, expected: string): string {
  if (typeof value !== 'string') throw optionError(`${where}: ${option}`, expected, value, true);
  if (!form.test(value)) throw optionError(`${where}: ${option}`, expected, value, false);
  return value;
}
