import type { stockFunctions } from './contract.js';
import type { NativeHandle } from './handle.js';

export interface NativeMovement {
  readonly kind: number;
  readonly sku: number | string;
  readonly quantity: number;
  readonly timeMs: number;
  readonly reservation?: bigint;
  readonly user?: bigint | string;
}

export interface NativeReservation {
  readonly reservation: bigint;
  /** One of `phases`. */
  readonly state: number;
  readonly leftMs: number;
  readonly user?: bigint | string;
  readonly id?: bigint | string;
  readonly lines: ReadonlyArray<{
    readonly sku: number | string;
    readonly quantity: number;
    readonly sold: number;
  }>;
}

interface StockCalls {
  reserve(lines: number): number;
  confirm(): number;
  cancel(): number;
  extend(): number;
  /**
   * The staging buffer has the part's `lines` lines, or its quantity if `lines` is 0. With `hold` 1 the units that are
   * not in the part stay held; with 0 they go back on sale.
   */
  confirmPart(lines: number, hold: number): number;
  cancelPart(lines: number): number;
  giveBack(lines: number): number;
  /** The staging buffer has the new quantities of `lines` lines, or the one new quantity if `lines` is 0. */
  change(lines: number): number;
  giveBackOf(): number;
  /** `by`: see `finds`. */
  findReservation(by: number): NativeReservation | number | undefined;
  /** Lists reservations of some slots of the table, from `slot` on. `states` has one bit for each of `phases`. */
  listReservations(
    slot: number,
    states: number,
  ): { readonly next: number; readonly found: readonly NativeReservation[] } | number;
  expire(): number;
  /**
   * Looks at up to `slots` slots of the table and expires their reservations that are due. Returns 1 if more may be
   * due.
   */
  sweep(slots: number): number;
  addItem(): number;
  restock(): number;
  withdraw(): number;
  /** Returns one of `levelsSet`. With `clamp` 1, the total becomes as near to the given one as possible. */
  setTotal(clamp: number): number;
  closeItem(): number;
  reopenItem(): number;
  /**
   * `changes` has the bits of `itemChanges` for which the staging buffer has a new value. Returns one of `levelsSet`.
   */
  changeItem(changes: number): number;
  /** The staging buffer has the value of `Item::sell_until` in core/stock/item.h. */
  sellUntil(): number;
  configure(): number;
  addGroup(): number;
  changeGroup(): number;
  /** Returns 1 if an item has a per-user limit, or is in a group. */
  limitsUsers(): number;
  /** Writes the figures to the staging buffer and returns 0. */
  counts(): number;
  /** Returns the sku of the first item whose counts do not add up, if there is one. */
  audit(): number | string | undefined;
  oldestMovement(): number;
  endOfMovements(): number;
  readMovement(position: number): NativeMovement | number;
  /** Writes the snapshot to the buffer that `makeBuffer(octets)` returns. */
  snapshot(makeBuffer: (octets: number) => ArrayBuffer | undefined): ArrayBuffer | number;
  stats(): number;
  dispose(): void;
}

export type NativeStock = Pick<StockCalls, (typeof stockFunctions)[number]> & {
  readonly handle: NativeHandle;
  readonly slots: number;
  readonly keepsMovements: boolean;
  readonly manualClock: boolean;
};
