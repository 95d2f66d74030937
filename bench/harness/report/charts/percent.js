/** Positions along a chart. They are percentages, so that a chart is as wide as the page and its text is not scaled. */

/** @param {number} share from 0 to 1 */
export function percent(share) {
  return `${(100 * share).toFixed(2)}%`;
}

/**
 * @param {number} least above 0
 * @param {number} most
 * @returns {{ at: (value: number) => number, ticks: number[] }} a logarithmic axis over whole decades
 */
export function decades(least, most) {
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  return { at: (value) => (Math.log10(value) - first) / (last - first), ticks };
}
