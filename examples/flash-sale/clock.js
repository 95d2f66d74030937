// @ts-check

/**
 * Milliseconds of the machine's monotonic clock. Unlike `performance.now()` its zero is the same in every
 * thread, so a time taken by the server can be subtracted from one taken by the cashier.
 * @returns {number}
 */
export function monotonicMs() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
