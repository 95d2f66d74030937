import { optionError } from '../input/index.js';
import { LinkedList } from '../linked-list.js';
import type { Job } from './job.js';
import type { Seat } from './seat.js';

/** The orders of one key that are not finished. The first of them is at work; the others wait behind it. */
export interface KeyLine<T> {
  readonly key: string;
  readonly behind: LinkedList<Job<T>>;
  /** The worker that the orders of this key go to; undefined before the first one has gone to a worker. */
  seat: Seat<T> | undefined;
}

/**
 * Keeps the orders of each key in their order. It knows a key only while an order of it is not finished, so it has at
 * most as many keys as there are orders in hand.
 */
export class KeyLines<T> {
  /**
   * By text. Each text begins with a letter, because V8 seeds the hash of such a text. The hash of a number, or of a
   * text of digits, is the number itself: a client could choose keys that collide.
   */
  readonly #lines = new Map<string, KeyLine<T>>();

  /** Puts the job at the end of its key's line. Returns whether it is the first, so that it may begin. */
  join(key: string, job: Job<T>): boolean {
    const line = this.#lines.get(key);
    if (line === undefined) {
      job.line = { key, behind: new LinkedList<Job<T>>(), seat: undefined };
      this.#lines.set(key, job.line);
      return true;
    }
    job.line = line;
    line.behind.add(job);
    return false;
  }

  /** Takes the first job, which is finished, out of its line. Returns the job that is the first now. */
  next({ line }: Job<T>): Job<T> | undefined {
    if (line === undefined) return undefined;
    const { first } = line.behind;
    if (first === undefined) this.#lines.delete(line.key);
    else line.behind.delete(first);
    return first;
  }
}

/** Returns the text of a key. A number and the bigint of the same value are one key. */
export function keyText(key: unknown): string {
  if (typeof key === 'string') return `t${key}`;
  if (typeof key === 'bigint' || (typeof key === 'number' && !Number.isNaN(key))) return `n${key}`;
  throw optionError('dispatch: by', 'a function that returns a number, a bigint or a string', key, true);
}
