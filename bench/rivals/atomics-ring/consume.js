/** The consumer of a ring on an event loop. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Records visited before the loop's timers and I/O get a turn. */
const TURN_RECORDS = 4_096;
/** Looks at an empty ring before the consumer sleeps. They take about 1 us, less than a sleep and a wake-up cost. */
const LOOKS = 100;

/**
 * Visits records as they come, until the ring is closed and drained. With nothing to visit it sleeps.
 * @template {import('./record.js').Fields} R
 * @param {import('./ring.js').Ring<R>} ring
 * @param {(view: import('./record.js').View<R>) => void} visit as in `drain`; an error that it throws ends the
 *   consumption
 */
export async function consume(ring, visit) {
  const keepAlive = setInterval(() => {}, 2 ** 31 - 1);
  let left = TURN_RECORDS;
  try {
    while (!ring.drained) {
      left -= ring.drain(visit, left);
      if (left === 0) {
        await nextTurn();
        left = TURN_RECORDS;
      } else if (!comesSoon(ring) && (await ring.sleep())) {
        left = TURN_RECORDS;
      }
    }
  } finally {
    clearInterval(keepAlive);
  }
}

/** @param {{ readonly readable: boolean }} ring */
function comesSoon(ring) {
  for (let look = 0; look < LOOKS; look++) {
    if (ring.readable) return true;
  }
  return false;
}
