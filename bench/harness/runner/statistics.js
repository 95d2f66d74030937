/** @typedef {{ median: number, min: number, max: number }} Spread */

/**
 * @param {number[]} samples at least one
 * @returns {Spread}
 */
export function spread(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (/** @type {number} */ index) => /** @type {number} */ (sorted[index]);
  const middle = sorted.length >> 1;
  return {
    median: sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}
