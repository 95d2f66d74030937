import type { NativeHandle } from './handle.js';

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

export interface NativeAudit {
  readonly items: number;
  readonly held: number;
  readonly lines: number;
  readonly free: number;
  readonly slots: number;
  readonly users: number;
  readonly usersCounted: number;
  /** Pairs of a user and an item whose count is not what their reservations hold and what they have bought. */
  readonly usersOff: number;
  /** Shards whose own reservations do not add up. */
  readonly shardsOff: number;
  /** Reservations that nothing would find when they are due. */
  readonly neverDue: number;
  readonly mismatch?: StockCounts & { sku: number | string; reservedFound: number; usersFound: number };
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
  /** A `Phase`. */
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

export interface NativeStock {
  readonly handle: NativeHandle;
  readonly slots: number;
  readonly keepsMovements: boolean;
  readonly manualClock: boolean;
  reserve(lines: number): number;
  confirm(): number;
  cancel(): number;
  extend(): number;
  /** Of a part: `lines` of them are in the staging, else its quantity; `hold`: 1, the rest stays held. */
  confirmPart(lines: number, hold: number): number;
  cancelPart(lines: number): number;
  giveBack(lines: number): number;
  /** To the quantities of `lines` of them in the staging, else to its quantity. */
  change(lines: number): number;
  giveBackOf(): number;
  /** `by`: see `finds`. */
  findReservation(by: number): NativeReservation | number | undefined;
  /** Some places of the table from `slot` on; `states`: a bit for each `Phase`. */
  listReservations(
    slot: number,
    states: number,
  ): { readonly next: number; readonly found: readonly NativeReservation[] } | number;
  expire(): number;
  /** Expires what is due, as far as looking at `slots` places goes; 1 if something was left. */
  sweep(slots: number): number;
  addItem(): number;
  restock(): number;
  withdraw(): number;
  /** A `LevelSet`; with `clamp` 1: as near to it as can be. */
  setTotal(clamp: number): number;
  closeItem(): number;
  reopenItem(): number;
  /** `changes`: the bits of `itemChanges` that the staging has a new value of. A `LevelSet`. */
  changeItem(changes: number): number;
  configure(): number;
  addGroup(): number;
  changeGroup(): number;
  /** 1 if an item has a per-user limit, or is in a group. */
  limitsUsers(): number;
  counts(): StockCounts | number | undefined;
  audit(): NativeAudit | number;
  oldestMovement(): number;
  endOfMovements(): number;
  readMovement(position: number): NativeMovement | number;
  /** In what `makeBuffer(octets)` makes. */
  snapshot(makeBuffer: (octets: number) => ArrayBuffer | undefined): ArrayBuffer | number;
  stats(): StockStats | number;
  dispose(): void;
}
