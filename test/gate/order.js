import { record, u16, u32, u53, u64, utf8 } from 'sluice';

/** The record of the orders that the gates of these tests admit. */
export const Order = record({ id: u64, user: u53, sku: u32, quantity: u16, note: utf8(8) });

/** The fields of `Order` that are the request to the stock. */
export const fields = /** @type {const} */ ({ sku: 'sku', quantity: 'quantity', user: 'user', id: 'id' });

/**
 * @param {number} id
 * @param {{ user?: number, sku?: number, quantity?: number, note?: string }} [rest]
 */
export function order(id, { user = 1, sku = 1, quantity = 1, note = '' } = {}) {
  return { id: BigInt(id), user, sku, quantity, note };
}
