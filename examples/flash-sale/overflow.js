// @ts-check
import { lmdbStore, spill, sqliteStore } from 'sluice/overflow';
import { AdmissionDesk, recordOf } from './admission-desk.js';
import { BadArgument } from './options.js';
import { parseOrder } from './order-schema.js';

/**
 * @typedef {ReturnType<typeof overflowAt>} Overflow
 * @typedef {import('sluice').Infer<typeof import('./order-schema.js').Order>} Order
 */

/**
 * Makes the overflow of the sale's queue: a SQLite file, or an LMDB file where Node.js has no `node:sqlite`.
 * @param {string} path
 * @returns {import('sluice/overflow').Spill<Order>}
 */
export function overflowAt(path) {
  return spill({ store: process.versions['sqlite'] === undefined ? lmdbStore(path) : sqliteStore(path) });
}

/**
 * Waits until the store is open. It must be empty, because the books of this sale do not know an earlier sale's orders.
 * @param {Overflow} overflow
 */
export async function openOverflow(overflow) {
  await overflow.opened();
  const { records } = overflow.stats();
  if (records > 0) throw new BadArgument(`--overflow: the file has ${records} orders of an earlier sale`);
}

/** An admission desk that answers when an order is in the queue, or durable in the store. */
export class DurableDesk extends AdmissionDesk {
  /**
   * @override
   * @param {string} text
   * @returns {Promise<import('./answers.js').Answer>}
   */
  async answer(text) {
    try {
      const order = parseOrder(text);
      return this.noted(order, await this.gate.admitDurably(recordOf(order)));
    } catch (error) {
      return this.failed(error);
    }
  }
}
