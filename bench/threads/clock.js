/** One clock for all threads: each thread's performance.now() counts from that thread's own start. */

/**
 * @param {bigint} epoch of process.hrtime.bigint(), the same in all threads
 * @returns {() => number} milliseconds since then, with the resolution of performance.now()
 */
export function clockFrom(epoch) {
  const offset = Number(process.hrtime.bigint() - epoch) / 1e6 - performance.now();
  return () => performance.now() + offset;
}
