import { byNumber, DISPOSED, disposed, phases, reserveResults, resolveResults } from '../binding/index.js';
import { withJson } from '../json.js';
import type { StockCounts } from './figures.js';

/** In JSON, as JSON.stringify() makes it, the reservation is a decimal string, which `confirm` and its like accept. */
export interface Reserved {
  /** Tells it from `Refused`. */
  readonly ok: true;
  /** Names the reservation: for `confirm`, `cancel` and all that follows. */
  readonly reservation: bigint;
  /** What is left of the hold, in milliseconds: all of it for a new reservation, 0 once it is not held any more. */
  readonly expiresInMs: number;
  /** Whether an earlier call with this id made it: nothing was reserved now. */
  readonly duplicate: boolean;
  /** What it is now; 'held' for a new one. Another thread may resolve it at once. */
  readonly state: ReservationState;
}

/** What has become of a reservation. */
export type ReservationState =
  | 'held'
  | 'confirmed'
  | 'cancelled'
  | 'expired'
  /** So long ago resolved that its place has been used again. */
  | 'unknown';

/** The plain object that a Reserved is, with a `toJSON`. */
export const ReservedAnswer: new (
  reservation: bigint,
  expiresInMs: number,
  duplicate: boolean,
  state: ReservationState,
) => Reserved = withJson(
  class implements Reserved {
    declare readonly ok: true;
    declare readonly reservation: bigint;
    declare readonly expiresInMs: number;
    declare readonly duplicate: boolean;
    declare readonly state: ReservationState;
    constructor(reservation: bigint, expiresInMs: number, duplicate: boolean, state: ReservationState) {
      this.ok = true;
      this.reservation = reservation;
      this.expiresInMs = expiresInMs;
      this.duplicate = duplicate;
      this.state = state;
    }
  },
);

/** Why units were not reserved. */
export type Refusal =
  | 'sold-out'
  | 'user-limit'
  | 'unknown-sku'
  /** The item was closed: see `Stock.closeItem`. */
  | 'item-closed'
  /** `maxReservations` are held. */
  | 'ledger-full'
  /** `maxUsers` pairs of a user and an item hold or have bought units. */
  | 'users-full'
  /** Every id that this one could displace is still held. */
  | 'ids-full'
  /** The id was used with another body. */
  | 'id-mismatch'
  /** The id was refused before, and stays refused. */
  | 'already-failed'
  /** Another thread is deciding an id of the same neighbourhood; try again. */
  | 'in-progress'
  /** A gate admitted an order with this id: whoever consumes that gate's queue decides its `reservation`. */
  | 'admitted-by-gate';

/** What `Stock.setTotal` and `Stock.changeItem` have done, and the item's counts afterwards. */
export type ItemChanged =
  | { readonly ok: true; readonly counts: StockCounts }
  | {
      readonly ok: false;
      /** Units that would go are reserved, sold or backordered: nothing was changed. */
      readonly reason: 'units-taken';
      readonly counts: StockCounts;
    };

/** Nothing was reserved. */
export interface Refused {
  /** Tells it from `Reserved`. */
  readonly ok: false;
  /** Why. */
  readonly reason: Refusal;
  /** Of a cart: the item that the refusal is about, if it is about one. */
  readonly sku?: number | string;
  /** Of 'admitted-by-gate': the order's. In JSON a decimal string. */
  readonly reservation?: bigint;
}

/** The plain object that a Refused with a reservation is, with a `toJSON`. */
export const AdmittedByGate: new (reservation: bigint) => Refused = withJson(
  class implements Refused {
    declare readonly ok: false;
    declare readonly reason: 'admitted-by-gate';
    declare readonly reservation: bigint;
    constructor(reservation: bigint) {
      this.ok = false;
      this.reason = 'admitted-by-gate';
      this.reservation = reservation;
    }
  },
);

/** What a call made of a reservation, or what it had become before. */
export type Resolution =
  | 'confirmed'
  | 'cancelled'
  | 'extended'
  | 'already-confirmed'
  | 'already-cancelled'
  | 'expired'
  /** Never given out, or so long ago that its place has been used again. */
  | 'unknown';

/** What became of units that were to be returned. */
export type ReturnResolution =
  /** The units are on sale again. */
  | 'returned'
  /**
   * All of the reservation has been returned before, or a part of what was asked for, by user; nothing is returned now.
   */
  | 'already-returned'
  /** There is no such purchase: nothing of the reservation is sold, or the user has not bought as much. */
  | 'not-bought'
  /** Never given out, or so long ago that its place has been used again. */
  | 'unknown';

const {
  reserved: _reserved,
  duplicate: _duplicate,
  'needs-user': _needsUser,
  'reserved-directly': _direct,
  ...refused
} = reserveResults;
const refusals: readonly (Refusal | undefined)[] = byNumber(refused satisfies Record<Refusal, number>);
/** Those that are about one item. */
export const aboutOneItem: ReadonlySet<Refusal> = new Set([
  'sold-out',
  'user-limit',
  'unknown-sku',
  'item-closed',
]);

const resolutions = byNumber(resolveResults);
const states: readonly (ReservationState | undefined)[] = byNumber(
  phases satisfies Record<ReservationState, number>,
);

/** What a native function answered, unless the ledger is disposed of. @throws SluiceError. */
export function checkedAnswer(answer: number): number {
  if (answer === DISPOSED) throw disposed('Stock');
  return answer;
}

/** The name of a native Phase. */
export function stateName(phase: number): ReservationState {
  return states[phase] ?? 'unknown';
}

/** The reason for a native ReserveResult; undefined if it is none. */
export function refusalName(result: number): Refusal | undefined {
  return refusals[result];
}

/** The name of a native ResolveResult, where `done` is what was asked for. */
export function resolutionName<Done extends string>(result: number, done: Done): Done | Resolution {
  return result === resolveResults.done ? done : (resolutions[result] as Resolution);
}
