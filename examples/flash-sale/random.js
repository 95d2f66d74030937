// @ts-check

/** A seeded generator, mulberry32 by Tommy Ettinger: the same seed always gives the same sale. */
export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** @returns {number} from 0, below 1 */
  fraction() {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /**
   * @param {number} count
   * @returns {number} an integer from 0, below count
   */
  below(count) {
    return Math.floor(this.fraction() * count);
  }

  /**
   * Returns one of the choices. Its probability is its weight divided by the sum of all weights.
   * @template T
   * @param {readonly (readonly [T, number])[]} weighted
   * @returns {T}
   */
  choose(weighted) {
    let left = this.fraction() * weighted.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [choice, weight] of weighted) {
      left -= weight;
      if (left < 0) return choice;
    }
    throw new RangeError('nothing to choose from');
  }
}
