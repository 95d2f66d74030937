/**
 * Releases all producers at once: they wait for the phase word to pass the number of the phase they have done.
 */

/** Index of the word in the control array. */
export const PHASE = 0;

export function controlWords() {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** @param {Int32Array} control */
export function startNextPhase(control) {
  Atomics.add(control, PHASE, 1);
  Atomics.notify(control, PHASE);
}
