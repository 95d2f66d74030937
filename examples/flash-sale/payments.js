// @ts-check
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/**
 * The first payment waits this long for a connection to the bank, while the opening burst fills the queue.
 */
const CONNECT_MS = 300;

/** One payment in this many asks the buyer for a confirmation, which takes SLOW_MS. */
const SLOW_ONE_IN = 50;

/** How long a confirmation takes. All other payments take one turn of the event loop. */
const SLOW_MS = 20;

const DECLINED_PERCENT = 10;

/** A simulated payment provider. Which payments are declined depends on the order's id alone. */
export class Payments {
  #connected = false;

  /**
   * @param {number} orderId
   * @returns {Promise<boolean>} whether the order is paid
   */
  async charge(orderId) {
    if (!this.#connected) {
      this.#connected = true;
      await sleep(CONNECT_MS);
    }
    const digest = hash(orderId);
    if (digest % SLOW_ONE_IN === 0) await sleep(SLOW_MS);
    else await nextTurn();
    return !isDeclined(digest);
  }
}

/** @param {number} digest */
function isDeclined(digest) {
  return (digest >>> 8) % 100 < DECLINED_PERCENT;
}

/**
 * The finalizer of MurmurHash3 over both halves of a 53-bit id.
 * @param {number} id
 * @returns {number} 32 bits, unsigned
 */
function hash(id) {
  let h = (id >>> 0) ^ Math.imul(Math.floor(id / 0x1_0000_0000), 0x9e37_79b1);
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
