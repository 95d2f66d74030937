/**
 * A clock that shows the same time in all threads. (performance.now() counts from the start of the thread that calls
 * it.)
 */

const LOOKS = 64;

/**
 * @param {bigint} epoch of process.hrtime.bigint(), the same in all threads
 * @returns {() => number} milliseconds since then, with the resolution of performance.now()
 */
export function clockFrom(epoch) {
  let closestMs = Number.POSITIVE_INFINITY;
  let offset = 0;
  // The two clocks are read one after the other, and the thread may lose its processor in between. So of several pairs
  // of readings the one with the shortest time between them counts.
  for (let look = 0; look < LOOKS; look++) {
    const before = performance.now();
    const sinceEpoch = Number(process.hrtime.bigint() - epoch) / 1e6;
    const apartMs = performance.now() - before;
    if (apartMs >= closestMs) continue;
    closestMs = apartMs;
    offset = sinceEpoch - (before + apartMs / 2);
  }
  return () => performance.now() + offset;
}
