/** The samples of a run: one a round, of every figure and contender, in records a second. */
export class Samples {
  /** @type {Map<string, number[]>} */
  #byKey = new Map();

  /**
   * @param {string} figure
   * @param {string} contender
   * @param {number} perSecond
   */
  add(figure, contender, perSecond) {
    const key = `${figure} ${contender}`;
    const samples = this.#byKey.get(key) ?? [];
    samples.push(perSecond);
    this.#byKey.set(key, samples);
  }

  /**
   * @param {string} figure
   * @param {string} contender
   * @returns {number[]} by round
   */
  of(figure, contender) {
    const samples = this.#byKey.get(`${figure} ${contender}`);
    if (samples === undefined) throw new Error(`no samples of ${contender} for ${figure}`);
    return samples;
  }
}
