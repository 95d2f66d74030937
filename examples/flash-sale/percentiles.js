// @ts-check

/**
 * @typedef {object} Percentiles
 * @property {number} count
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {number} max
 */

/**
 * Computes exact percentiles, by nearest rank.
 * @param {Float64Array} samples
 * @returns {Percentiles | null} null without samples
 */
export function percentiles(samples) {
  if (samples.length === 0) return null;
  const sorted = Float64Array.from(samples).sort();
  const at = (/** @type {number} */ share) =>
    /** @type {number} */ (sorted[Math.ceil(share * sorted.length) - 1]);
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}
