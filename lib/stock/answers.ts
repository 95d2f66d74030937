import { byNumber, phases, reserveResults, resolveResults } from '../binding/index.js';
import { withJson } from '../json.js';
import type { StockCounts } from './figures.js';

/**
 * Units were reserved. JSON.stringify() makes the reservation a decimal string, which the methods of `Stock` accept,
 * too.
 */
export interface Reserved {
  /** Distinguishes `Reserved` from `Refused`. */
  readonly ok: true;
  /** Names the reservation for `confirm`, `cancel` and other methods. */
  readonly reservation: bigint;
  /**
   * The time left of the hold, in milliseconds: all of it for a new reservation, 0 for one that is not held any more.
   */
  readonly expiresInMs: number;
  /** True if an earlier call with this id made the reservation, and this call reserved nothing. */
  readonly duplicate: boolean;
  /** The state of the reservation: 'held' for a new one. Another thread may resolve it at once. */
  readonly state: ReservationState;
}

/** The state of a reservation. */
export type ReservationState =
  | 'held'
  | 'confirmed'
  | 'cancelled'
  | 'expired'
  /** The reservation was resolved so long ago that its place has been used again. */
  | 'unknown';

/** Makes a `Reserved`: a plain object with a `toJSON`. */
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
  /** The time until which the item is sold is over: see `StockItem.sellForMs`. Not remembered for the id. */
  | 'sale-over'
  /** `maxReservations` reservations are held. */
  | 'ledger-full'
  /** There are `maxUsers` pairs of a user and an item of which the user holds or has bought units. */
  | 'users-full'
  /** The reservation of every id that this one could displace is still held. */
  | 'ids-full'
  /** An earlier request with this id had other items, quantities or another user. */
  | 'id-mismatch'
  /** The id was refused before, and stays refused. */
  | 'already-failed'
  /** Another thread is deciding an id of the same neighbourhood; try again. */
  | 'in-progress'
  /** A gate admitted an order with this id: the consumer of that gate's queue decides its `reservation`. */
  | 'admitted-by-gate';

/** The answer of `Stock.setTotal` and `Stock.changeItem`, with the item's counts afterwards. */
export type ItemChanged =
  | {
      /** The change was made. */
      readonly ok: true;
      /** The counts of the item afterwards. */
      readonly counts: StockCounts;
    }
  | {
      /** Nothing was changed. */
      readonly ok: false;
      /** Units that would have to go are reserved, sold or backordered: nothing was changed. */
      readonly reason: 'units-taken';
      /** The counts of the item. */
      readonly counts: StockCounts;
    };

/** Nothing was reserved. */
export interface Refused {
  /** Distinguishes `Refused` from `Reserved`. */
  readonly ok: false;
  /** Why nothing was reserved. */
  readonly reason: Refusal;
  /** The item because of which a cart was refused, if it was one item. */
  readonly sku?: number | string;
  /** The order's reservation, if the reason is 'admitted-by-gate'. In JSON a decimal string. */
  readonly reservation?: bigint;
}

/** Makes a `Refused` with a reservation: a plain object with a `toJSON`. */
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

/** The answer of a call about a reservation: what the call did, or what the reservation had become before. */
export type Resolution =
  | 'confirmed'
  | 'cancelled'
  | 'extended'
  | 'already-confirmed'
  | 'already-cancelled'
  | 'expired'
  /** The reservation was never given out, or so long ago that its place has been used again. */
  | 'unknown';

/** The answer to a return of bought units. */
export type ReturnResolution =
  /** The units are on sale again. */
  | 'returned'
  /**
   * Nothing was returned now. Either the whole reservation was returned before, or returns by user have returned some
   * of the units asked for.
   */
  | 'already-returned'
  /** There is no such purchase: nothing of the reservation is sold, or the user has not bought as many units. */
  | 'not-bought'
  /** The reservation was never given out, or so long ago that its place has been used again. */
  | 'unknown';

const {
  reserved: _reserved,
  duplicate: _duplicate,
  'needs-user': _needsUser,
  'reserved-directly': _direct,
  ...refused
} = reserveResults;
const refusals: readonly (Refusal | undefined)[] = byNumber(refused satisfies Record<Refusal, number>);
/** The refusals that are about one item. */
export const aboutOneItem: ReadonlySet<Refusal> = new Set([
  'sold-out',
  'user-limit',
  'unknown-sku',
  'item-closed',
  'sale-over',
]);

const resolutions = byNumber(resolveResults);
const states: readonly (ReservationState | undefined)[] = byNumber(
  phases satisfies Record<ReservationState, number>,
);

/** Returns the name of a phase, by its number in `phases`. */
export function stateName(phase: number): ReservationState {
  return states[phase] ?? 'unknown';
}

/** Returns the reason of a refusal, by its number in `reserveResults`; undefined if `result` is no refusal. */
export function refusalName(result: number): Refusal | undefined {
  return refusals[result];
}

/** Returns the name of a number in `resolveResults`. `done` is the name of success. */
export function resolutionName<Done extends string>(result: number, done: Done): Done | Resolution {
  return result === resolveResults.done ? done : (resolutions[result] as Resolution);
}
