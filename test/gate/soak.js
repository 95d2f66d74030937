// Helpers of the soak test and of its threads.
import { record, u32, u53, utf8 } from 'sluice';

export const fields = /** @type {const} */ ({ sku: 'sku', quantity: 'quantity', user: 'user', id: 'id' });
export const perUser = 10;
/** The limit per user of the first two items together. */
export const group = { name: 'pair', perUser: 15 };
/** More ids than a run of three minutes uses. */
const idsMax = 2 ** 24;

const Numbers = record({ id: u53, user: u53, sku: u32, quantity: u32 });
const Texts = record({ id: utf8(24), user: utf8(24), sku: utf8(16), quantity: u32 });

/**
 * The orders, users and items of the test. Their names are numbers or, with `texts`, texts that end with the number.
 */
export class Shop {
  /** @param {boolean} texts */
  constructor(texts) {
    this.texts = texts;
    /** @type {readonly (number | string)[]} */
    this.skus = [1, 2, 3].map((n) => this.#named('é', n));
  }
  /** The record of an order, with numbers or with texts. */
  get Order() {
    return /** @type {import('sluice').RecordType<Ordered>} */ (
      /** @type {unknown} */ (this.texts ? Texts : Numbers)
    );
  }
  /** @param {number} n */
  idOf(n) {
    return this.#named('order', n);
  }
  /** Returns the number of an id or a user. @param {unknown} name */
  numberOf(name) {
    return Number(String(name).split(' ').at(-1));
  }
  /** @param {number} n of an order */
  userOf(n) {
    return this.#named('user', Math.floor(n / 64));
  }
  /** @param {number | string} sku */
  isOfGroup(sku) {
    return this.skus.indexOf(sku) < 2;
  }

  /**
   * Returns the order number `n`, which is always the same. `lines`, if given, replace the order's own item.
   * @param {number} n
   */
  orderOf(n) {
    const bits = Math.imul(n ^ 0x9e37_79b9, 2_654_435_761) >>> 0;
    const sku = this.skus[bits % 3] ?? 0;
    const order = { id: this.idOf(n), user: this.userOf(n), sku, quantity: 1 + ((bits >>> 8) % 3) };
    const isCart = (bits >>> 16) % 5 === 0;
    const lines = [
      { sku: this.skus[0] ?? 0, quantity: 1 },
      { sku: this.skus[2] ?? 0, quantity: 1 + ((bits >>> 20) % 2) },
    ];
    return { order, lines: isCart ? lines : undefined };
  }

  /** @param {string} what @param {number} n */
  #named(what, n) {
    return this.texts ? `${what} ${n}` : n;
  }
}
/** @typedef {{ id: number | string, user: number | string, sku: number | string, quantity: number }} Ordered */

/** Whether a clerk works on the order's reservation while the order is queued or in hand. @param {number} id */
export const isClerks = (id) => id % 4 === 3;
/** Whether the order's handler works on the reservation through the stock. @param {number} id */
const isWorkedOn = (id) => id % 4 === 2;

/**
 * Indexes of the words in the shared memory. After the words, one byte for each order counts how often the order was
 * handled.
 */
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
  /**
   * Records a violation: its kind, which is one of `violations` and so not 0, and the number of the order.
   * @param {number} kind @param {number} id
   */
  violate(kind, id) {
    Atomics.store(this.words, words.violation, kind * 2 ** 24 + id);
  }
  get violation() {
    return Atomics.load(this.words, words.violation);
  }
}

export const violations = { undercounted: 1, decidedTwice: 2, admittedTwice: 3, mixedUp: 4 };

export const handlerTimeoutMs = 400;

/**
 * Changes a reservation at random, through the stock, while its order is queued or in hand. The units that the change
 * asks for may be gone.
 * @param {Shop} shop
 * @param {import('sluice').Stock} stock
 * @param {import('../seeded-random.js').SeededRandom} random
 * @param {bigint} reservation
 */
export function workOn(shop, stock, random, reservation) {
  const sku = random.pick(shop.skus);
  const part = random.chance(0.5) ? { quantity: 1 } : { lines: [{ sku, quantity: 1 }] };
  const works = [
    () => stock.confirm(reservation, { ...part, rest: 'hold' }),
    () => stock.cancel(reservation, part),
    () => stock.change(reservation, { quantity: random.between(1, 3) }),
    () => stock.change(reservation, { lines: [{ sku, quantity: random.between(0, 2) }] }),
    () => stock.return(reservation, part),
    () => stock.return(reservation),
  ];
  try {
    return random.pick(works)();
  } catch (error) {
    if (error instanceof RangeError) return 'no such part';
    throw error;
  }
}

/**
 * Returns a handler that treats each order in one of several ways, at random.
 * @param {Shop} shop
 * @param {SoakMemory} memory
 * @param {import('../seeded-random.js').SeededRandom} random
 * @param {(ms: number) => Promise<unknown>} sleep
 * @param {import('sluice').Stock} stock
 */
export function handler(shop, memory, random, sleep, stock) {
  /** @param {Ordered} order @param {import('sluice').Hold} hold */
  return async (order, hold) => {
    const id = shop.numberOf(order.id);
    const before = memory.countHandled(id);
    if (hold.deliveries <= before) memory.violate(violations.undercounted, id);
    if (random.chance(0.3)) await sleep(random.between(1, 5));
    // Mostly longer than a short hold, which the gate then renews.
    if (random.chance(0.02)) await sleep(random.between(50, 250));
    if (random.chance(0.005)) return sleep(2 * handlerTimeoutMs); // the handler times out
    for (let works = isWorkedOn(id) ? random.below(4) : 0; works > 0; works--) {
      workOn(shop, stock, random, hold.reservation ?? 0n);
      if (random.chance(0.3)) await sleep(1);
    }
    const way = random.below(10);
    if (way < 2) throw new Error('declined');
    if (way > 4) return undefined;
    // After the hold has run out, the reservation's place in the table may be used again: the reservation is then
    // unknown.
    // Also a handler that goes on after its time is answered 'expired'.
    const expected = [way === 3 ? 'cancelled' : 'confirmed', 'expired', 'unknown'];
    // The clerks, or this handler, may have sold or put back all units.
    if (isWorkedOn(id) || isClerks(id)) expected.push('already-confirmed', 'already-cancelled');
    const isWhole = isWorkedOn(id) || isClerks(id) || shop.orderOf(id).lines !== undefined;
    const part = isWhole ? {} : { quantity: 1 };
    const decided = way === 3 ? hold.cancel() : way === 2 ? hold.confirm() : hold.confirm(part);
    if (!expected.includes(decided)) memory.violate(violations.decidedTwice, id);
    if (random.chance(0.1)) await sleep(1);
    return undefined;
  };
}
