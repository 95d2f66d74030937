/** States of the word by which the consumer reports that it is stalled, and by which it is released. */
export const STALL = /** @type {const} */ ({ running: 0, stalled: 1, released: 2 });
