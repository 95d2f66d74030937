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

interface StockCalls {
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
  /** 0, and the figures in the staging, as of the next ones. */
  counts(): number;
  /** The sku of the first item whose counts do not add up, if there is one. */
  audit(): number | string | undefined;
  oldestMovement(): number;
  endOfMovements(): number;
  readMovement(position: number): NativeMovement | number;
  /** In what `makeBuffer(octets)` makes. */
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
