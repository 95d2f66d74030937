/** States of the word by which the consumer says that it stands still, and is released. */
export const STALL = /** @type {const} */ ({ running: 0, stalled: 1, released: 2 });
