import { createHash } from 'node:crypto';
import { optionError } from '../../input/index.js';

const nameMax = 512;
/** An id of at most this many characters is in the name of its key as it is; a longer one as its SHA-256. */
const idMax = 64;

/**
 * Returns the part of a key by which a cluster chooses its server: what is between the first `{` and the next `}`, or
 * the whole key.
 */
export function hashTag(key: string): string {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/** The names of the keys that belong to a stream. All have its hash tag, so that one script can use them. */
export class Keys {
  readonly stream: string;
  readonly #prefix: string;

  constructor(where: string, stream: unknown) {
    this.stream = checkedKey(`${where}: stream`, stream);
    this.#prefix = hashTag(this.stream) === this.stream ? `{${this.stream}}` : this.stream;
    // `{orders}` would have the keys of `orders`.
    const isTagOnly = this.stream === `{${hashTag(this.stream)}}`;
    if (isTagOnly || hashTag(this.#prefix) !== hashTag(this.stream)) {
      const expected = 'a name without braces, or with a hash tag as in shop:{sale}:orders';
      throw optionError(`${where}: stream`, expected, stream, false);
    }
  }

  /** The key that says which entry an order with this id became. */
  id(id: string): string {
    const short = id.length <= idMax ? id : `sha256:${createHash('sha256').update(id).digest('hex')}`;
    return `${this.#prefix}:id:${short}`;
  }

  /** The sorted set of the entries of a group that wait for their next try, by its time. */
  retry(group: string): string {
    return `${this.#prefix}:retry:${group}`;
  }

  /** The key that says which process has the name of a consumer. */
  lease(group: string, consumer: string): string {
    return `${this.#prefix}:lease:${group}:${consumer}`;
  }

  /** The keys of a store besides its streams: what it is, who has it, how often entries were taken. */
  get store(): readonly [facts: string, lease: string, deliveries: string] {
    return [`${this.#prefix}:store`, `${this.#prefix}:store:lease`, `${this.#prefix}:store:deliveries`];
  }

  /** The stream of a lane of a store: 0, 1, ... */
  lane(lane: number): string {
    return lane === 0 ? this.stream : `${this.#prefix}:lane:${lane}`;
  }

  /** The stream of dead letters, unless the program names one. */
  get dead(): string {
    return `${this.#prefix}:dead`;
  }

  /** Returns `key` if it has the hash tag of the stream. */
  beside(where: string, key: unknown): string {
    const name = checkedKey(where, key);
    if (hashTag(name) === hashTag(this.stream)) return name;
    throw optionError(
      where,
      `a key with the hash tag {${hashTag(this.stream)}}, as the stream has`,
      key,
      false,
    );
  }
}

function checkedKey(where: string, key: unknown): string {
  const expected = `a string of 1 to ${nameMax} characters`;
  if (typeof key !== 'string') throw optionError(where, expected, key, true);
  if (key.length < 1 || key.length > nameMax || !key.isWellFormed())
    throw optionError(where, expected, key, false);
  return key;
}

/** Returns the name of a group or a consumer. */
export function checkedName(where: string, name: unknown): string {
  const expected = 'a string of 1 to 128 characters, none of them a space or a control character';
  if (typeof name !== 'string') throw optionError(where, expected, name, true);
  if (!/^[^\s\p{C}]{1,128}$/u.test(name)) throw optionError(where, expected, name, false);
  return name;
}
