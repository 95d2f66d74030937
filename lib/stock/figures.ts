import { checkDone, countFigures, figuresOf, type NativeStock, stockFigures } from '../binding/index.js';
import type { StockStaging } from './staging.js';

/**
 * The units of one item. `available + reserved + sold = total`, always; of an item with a backorder cap
 * `available + reserved + sold = total + backordered`, and one of `available` and `backordered` is 0.
 */
export interface StockCounts {
  readonly total: number;
  readonly available: number;
  readonly reserved: number;
  readonly sold: number;
  /** The cap: how many units can be reserved and sold beyond the total. Not there if it is 0. */
  readonly backorder?: number;
  /** How many units are reserved and sold beyond the total: at most the cap. Not there if that is 0. */
  readonly backordered?: number;
}

/** Reservations and refusals since creation, over all threads. */
export interface StockStats {
  readonly reserved: number;
  readonly confirmed: number;
  readonly cancelled: number;
  readonly expired: number;
  readonly extended: number;
  /** Parts of reservations that were confirmed or cancelled while the rest stayed held. */
  readonly parted: number;
  /** Changes of the quantities of held reservations. */
  readonly changed: number;
  /** Returns of bought units. */
  readonly returned: number;
  readonly refused: number;
}

/** The counts that a native call has written, from byte `at` of the staging on. */
export function countsOf(staging: Float64Array, at: number): StockCounts {
  const { backorder, backordered, ...counts } = figuresOf(countFigures, staging, at);
  return backorder === 0 ? counts : { ...counts, backorder, backordered };
}

/** See `Stock.stats`. */
export function statsOf(what: string, native: NativeStock, { numbers, figures }: StockStaging): StockStats {
  checkDone(what, native.stats());
  return figuresOf(stockFigures, numbers, figures);
}
