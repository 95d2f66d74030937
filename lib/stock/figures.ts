import { checkedAnswer, countFigures, figuresOf, type NativeStock, stockFigures } from '../binding/index.js';
import type { StockStaging } from './staging.js';

/**
 * The units of one item. `available + reserved + sold = total`, always. For an item with a backorder cap, `available +
 * reserved + sold = total + backordered`, and one of `available` and `backordered` is 0.
 */
export interface StockCounts {
  /** All units of the item. */
  readonly total: number;
  /** Units that can be reserved. */
  readonly available: number;
  /** Units that are held. */
  readonly reserved: number;
  /** Units that were confirmed and not returned. */
  readonly sold: number;
  /** The cap: how many units can be reserved and sold beyond the total. Absent if it is 0. */
  readonly backorder?: number;
  /** How many units are reserved and sold beyond the total: at most the cap. Absent if the cap is 0. */
  readonly backordered?: number;
}

/** Reservations and refusals since creation, over all threads. */
export interface StockStats {
  /** Reservations made. */
  readonly reserved: number;
  /** Reservations that ended confirmed. */
  readonly confirmed: number;
  /** Reservations that ended cancelled. */
  readonly cancelled: number;
  /** Reservations that ended expired. */
  readonly expired: number;
  /** Holds that were extended. */
  readonly extended: number;
  /** Parts of reservations that were confirmed or cancelled while the rest stayed held. */
  readonly parted: number;
  /** Changes of the quantities of held reservations. */
  readonly changed: number;
  /** Returns of bought units. */
  readonly returned: number;
  /** Requests that were refused, for whatever reason. */
  readonly refused: number;
}

/** Returns the counts that a native call has written to the staging buffer, from byte `at` on. */
export function countsOf(staging: Float64Array, at: number): StockCounts {
  const { backorder, backordered, ...counts } = figuresOf(countFigures, staging, at);
  return backorder === 0 ? counts : { ...counts, backorder, backordered };
}

/** See `Stock.stats`. */
export function statsOf(what: string, native: NativeStock, { numbers, figures }: StockStaging): StockStats {
  checkedAnswer(what, native.stats());
  return figuresOf(stockFigures, numbers, figures);
}
