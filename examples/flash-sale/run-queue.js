// @ts-check
import { openSync, readSync } from 'node:fs';

/** The second of the three numbers: nanoseconds that the thread was ready to run, and had no processor. */
const SCHEDSTAT = '/proc/thread-self/schedstat';

/**
 * Returns a function that tells how many milliseconds the thread that calls `runQueueOf` has waited for a processor
 * until now, since it began; undefined if the system does not count that. Only Linux does.
 * @returns {(() => number) | undefined}
 */
export function runQueueOfThisThread() {
  const text = Buffer.alloc(128);
  try {
    const file = openSync(SCHEDSTAT, 'r'); // names this thread, whichever thread reads it later
    return () => {
      const length = readSync(file, text, 0, text.length, 0);
      return Number(text.toString('latin1', 0, length).split(' ')[1]) / 1e6;
    };
  } catch {
    return undefined;
  }
}
