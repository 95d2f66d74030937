/** The samples of a run: one for each round, figure and subject. A case that failed in a round has no sample for it. */
export class Samples {
  /** @type {Map<string, number[]>} */
  #byKey = new Map();

  /**
   * @param {import('./group.js').Sample} of
   * @param {number} round from 0
   * @param {number} value
   */
  add({ figure, subject }, round, value) {
    const key = keyOf(figure, subject);
    const samples = this.#byKey.get(key) ?? [];
    samples[round] = value;
    this.#byKey.set(key, samples);
  }

  /**
   * @param {import('./group.js').Sample} of
   * @returns {number[]} in the order of the rounds; empty: never measured
   */
  of({ figure, subject }) {
    return (this.#byKey.get(keyOf(figure, subject)) ?? []).filter(isMeasured);
  }

  /**
   * Returns each round's quotient of two things measured alternately: a disturbance of a whole round cancels out.
   * @param {import('./group.js').Sample} of
   * @param {import('./group.js').Sample} to
   * @returns {number[]} of the rounds that have both
   */
  quotients(of, to) {
    const divisors = this.#byKey.get(keyOf(to.figure, to.subject)) ?? [];
    return (this.#byKey.get(keyOf(of.figure, of.subject)) ?? [])
      .map((value, round) => value / (divisors[round] ?? Number.NaN))
      .filter(isMeasured);
  }
}

/** @param {string} figure @param {string} subject */
function keyOf(figure, subject) {
  return `${figure}\n${subject}`;
}

/** @param {number} value */
function isMeasured(value) {
  return !Number.isNaN(value);
}
