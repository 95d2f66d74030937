import { type Complete, copiedList, Options, optionError } from '../../input/index.js';
import { checkedSku, quantityMax } from '../../stock/index.js';

/** An item of a sale. */
export interface RedisStockItem {
  /** A whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8. */
  readonly sku: number | string;
  /** Units on sale: 0 to 4,294,967,295. */
  readonly quantity: number;
  /** The most units that one user can hold or have bought, over all machines: 1 to 4,294,967,295. Default: no limit. */
  readonly perUser?: number | undefined;
}

/** The most items of which a process can lease units. */
export const itemsMax = 10_000;

export function checkedItem(where: string, item: unknown): Complete<RedisStockItem> {
  const one = new Options(where, item, ['sku', 'quantity', 'perUser']);
  return {
    sku: checkedSku(`${where}: sku`, one.get('sku')),
    quantity: one.integer('quantity', 0, quantityMax),
    perUser: one.has('perUser') ? one.integer('perUser', 1, quantityMax) : 0, // 0: no limit
  };
}

export function copiedItems(where: string, items: unknown): ReadonlyArray<Complete<RedisStockItem>> {
  const list = copiedList(items, 0, itemsMax);
  if (list === undefined) {
    const expected = `an array of at most ${itemsMax} items`;
    throw optionError(`${where}: items`, expected, items, !Array.isArray(items));
  }
  return list.map((item, i) => checkedItem(`${where}: items[${i}]`, item));
}

/** Returns units of an item: 1 to 4,294,967,295. */
export function checkedQuantity(where: string, quantity: unknown): number {
  return new Options(where, { quantity }, ['quantity']).integer('quantity', 1, quantityMax);
}
