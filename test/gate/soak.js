// What the threads of the soak test share beside the gate.
import { record, u32, u53 } from 'sluice';

export const Order = record({ id: u53, user: u53, sku: u32, quantity: u32 });
export const fields = /** @type {const} */ ({ sku: 'sku', quantity: 'quantity', user: 'user', id: 'id' });
export const skus = [1, 2, 3];
export const perUser = 10;
/** More ids than a run of three minutes uses. */
export const idsMax = 2 ** 24;

/** @param {number} id */
export const userOf = (id) => Math.floor(id / 64);

/** Words of the shared memory; then one byte for each id: how often it was handled. */
const words = { stop: 0, nextId: 1, violation: 2, handled: 16 };

export class SoakMemory {
  /** @param {SharedArrayBuffer} [buffer] */
  constructor(buffer = new SharedArrayBuffer(words.handled * 4 + idsMax)) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, words.handled);
    this.handled = new Uint8Array(buffer, words.handled * 4, idsMax);
  }
  get stopped() {
    return Atomics.load(this.words, words.stop) === 1;
  }
  stop() {
    Atomics.store(this.words, words.stop, 1);
  }
  nextId() {
    return Atomics.add(this.words, words.nextId, 1);
  }
  get ids() {
    return Atomics.load(this.words, words.nextId);
  }
  /** @param {number} id */
  countHandled(id) {
    return Atomics.add(this.handled, id, 1);
  }
  /** What no thread may ever see, and then says for good. The id is never 0. @param {number} kind @param {number} id */
  violate(kind, id) {
    Atomics.store(this.words, words.violation, kind * 2 ** 24 + id);
  }
  get violation() {
    return Atomics.load(this.words, words.violation);
  }
}

export const violations = { undercounted: 1, decidedTwice: 2, admittedTwice: 3 };

/**
 * Handles an order in one of the ways in which handlers do.
 * @param {SoakMemory} memory
 * @param {import('../seeded-random.js').SeededRandom} random
 * @param {(ms: number) => Promise<unknown>} sleep
 */
export function handler(memory, random, sleep) {
  /** @param {{ id: number }} order @param {import('sluice').Hold} hold */
  return async ({ id }, hold) => {
    const before = memory.countHandled(id);
    if (hold.deliveries <= before) memory.violate(violations.undercounted, id);
    if (random.chance(0.3)) await sleep(random.between(1, 5));
    if (random.chance(0.02)) await sleep(random.between(50, 250)); // longer than a short hold: it is renewed
    const way = random.below(10);
    if (way < 2) throw new Error('declined');
    if (way > 3) return;
    // After it ran out, its place may have been used again.
    const expected = [way === 2 ? 'confirmed' : 'cancelled', 'expired', 'unknown'];
    const decided = way === 2 ? hold.confirm() : hold.cancel();
    if (!expected.includes(decided)) memory.violate(violations.decidedTwice, id);
    if (random.chance(0.1)) await sleep(1);
  };
}
