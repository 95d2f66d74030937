/**
 * Releases all producers at once: each waits until the phase word is greater than the number of phases that it has
 * done.
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
