/** A consumer on an event loop, for a queue without wake-ups: it looks again in every turn of the loop. */

/** Records visited before the loop's timers and I/O get a turn. */
const TURN_RECORDS = 4_096;

/**
 * @param {(max: number) => unknown} drain
 * @returns {Promise<never>}
 */
export function poll(drain) {
  const look = () => {
    drain(TURN_RECORDS);
    setImmediate(look);
  };
  look();
  return new Promise(() => {});
}
