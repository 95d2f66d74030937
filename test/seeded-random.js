/**
 * Random numbers from a seed, so that a failed run can be replayed: mulberry32 (T. Ettinger). It is plain JavaScript,
 * because worker threads use it, too. Give each thread its own seed, such as `seed + i`.
 */
export class SeededRandom {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** Returns a whole number from 0 to 2^32 - 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /**
   * Returns a whole number from 0 to `limit` - 1.
   * @param {number} limit
   */
  below(limit) {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /**
   * Returns a whole number from `first` to `last`.
   * @param {number} first
   * @param {number} last
   */
  between(first, last) {
    return first + this.below(last - first + 1);
  }

  /**
   * Returns true with the probability `share`.
   * @param {number} share from 0 to 1
   */
  chance(share) {
    return this.next() < share * 2 ** 32;
  }

  /**
   * @template T
   * @param {readonly T[]} list not empty
   * @returns {T}
   */
  pick(list) {
    return /** @type {T} */ (list[this.below(list.length)]);
  }
}
