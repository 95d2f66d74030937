/** The consumer on an event loop of a queue that wakes nobody: it looks again in every turn of the loop. */

/** Records visited before timers and I/O of the loop have their turn. */
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
