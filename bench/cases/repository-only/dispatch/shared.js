/** The memory that the dispatching thread and the workers of the group dispatch share. */

export const PHASES = { warmUp: 0, saturated: 1, paced: 2 };

/** The elements of that memory. From `histogram` on, one for each bucket of the latencies. */
export const cell = { phase: 0, handled: 1, switches: 2, histogram: 3 };

/** Buckets in each doubling of the latency: a bucket is at most 9 % wide. */
const perDoubling = 8;
const buckets = 40 * perDoubling;

export const cells = cell.histogram + buckets;

/** @param {Int32Array} shared */
export function histogramOf(shared) {
  return {
    /** @param {number} ns */
    record(ns) {
      const bucket = Math.min(buckets - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, ns)) * perDoubling)));
      Atomics.add(shared, cell.histogram + bucket, 1);
    },
    /** @param {number} share from 0 to 1 @returns {number} the upper end of the bucket, in nanoseconds */
    quantile(share) {
      const counts = shared.subarray(cell.histogram, cells);
      let left = share * counts.reduce((sum, count) => sum + count, 0);
      if (left === 0) throw new Error('no latency was recorded');
      const bucket = counts.findIndex((count) => {
        left -= count;
        return left <= 0;
      });
      return 2 ** ((bucket + 1) / perDoubling);
    },
  };
}
