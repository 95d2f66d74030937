// @ts-check

/** Counts by name. */
export class Tally {
  /** @type {Map<string, number>} */
  #counts = new Map();

  /**
   * @param {string | number} name
   * @param {number} [count]
   */
  add(name, count = 1) {
    const key = String(name);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
  }

  /** @param {Record<string, number>} counts */
  addAll(counts) {
    for (const [name, count] of Object.entries(counts)) this.add(name, count);
  }

  /** @returns {Record<string, number>} sorted by name */
  toJSON() {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
