import { limited, outcomes, reserveResults } from '../binding/index.js';
import { withJson } from '../json.js';
import { type Tier, tierOf, windowOf } from '../limiter/index.js';
import {
  aboutOneItem,
  type CartLine,
  type Refusal,
  type ReservationState,
  refusalName,
} from '../stock/index.js';

/**
 * The answer of `gate.admit`. JSON.stringify() makes the reservation a decimal string, which the methods of `Stock`
 * accept, too.
 */
export type Admission =
  | {
      /** The order is reserved and queued. */
      readonly outcome: 'admitted';
      /** 0n if the gate has no stock. */
      readonly reservation: bigint;
      /**
       * True if an earlier call with this id was admitted. This call then charged, reserved and queued nothing, unless
       * `requeued` is true.
       */
      readonly duplicate: boolean;
      /**
       * The state of the reservation; 'held' if the gate has no stock. 'held': the consumer of the queue decides the
       * order. 'confirmed': the units are sold; only a duplicate can have this state.
       */
      readonly state: 'held' | 'confirmed';
      /**
       * True for a duplicate whose order was in no queue, because the stock was restored. This call has charged and
       * queued the order like a new one, under the reservation that it already has. Absent otherwise.
       */
      readonly requeued?: true;
      /**
       * True for an order that `admitDurably` has put into the store of the queue's overflow, and that has become
       * durable there. Absent otherwise.
       */
      readonly stored?: true;
    }
  | {
      /**
       * The id was admitted before, and its reservation has ended, as `state` says: no handler can confirm the order
       * any more.
       */
      readonly outcome: 'already-ended';
      /** The reservation that the order had. */
      readonly reservation: bigint;
      /**
       * 'cancelled': its handler or `stock.cancel` cancelled it, or the queue dropped it, for example for a newer
       * order. 'expired': its hold ran out. 'unknown': it ended so long ago that its place in the ledger has been used
       * again.
       */
      readonly state: 'cancelled' | 'expired' | 'unknown';
    }
  | {
      /** The id was reserved by `stock.reserve` or `reserveAll`: nothing was charged or queued. */
      readonly outcome: 'reserved-directly';
      /** The caller decides it with `stock.confirm` or `stock.cancel`. */
      readonly reservation: bigint;
    }
  | {
      /** The limiter refuses: nothing was charged, reserved or queued. */
      readonly outcome: 'rate-limited';
      /** The tier of the limiter that refused. */
      readonly tier: Tier;
      /** The window that refused, if `tier` is 'sliding-window': its index in the limiter's option `slidingWindow`. */
      readonly window: number | undefined;
      /** As `Denied.retryAfterMs` of the limiter's decision. */
      readonly retryAfterMs: number;
    }
  | {
      /** Why the stock or the queue refuses: nothing was charged, reserved or queued. See `Refusal`. */
      readonly outcome: Exclude<Refusal, 'admitted-by-gate'> | 'queue-full' | 'closed';
      /** The item because of which a cart was refused, if it was one item. */
      readonly sku?: number | string;
    };

/** The admission for an order whose id is known. */
type Earlier = Extract<Admission, { readonly outcome: 'admitted' | 'already-ended' | 'reserved-directly' }>;

/** Makes the answer 'admitted': a plain object with a `toJSON`. */
export const Admitted: new (
  reservation: bigint,
  duplicate: boolean,
  state: 'held' | 'confirmed',
) => Admission = withJson(
  class {
    declare readonly outcome: 'admitted';
    declare readonly reservation: bigint;
    declare readonly duplicate: boolean;
    declare readonly state: 'held' | 'confirmed';
    constructor(reservation: bigint, duplicate: boolean, state: 'held' | 'confirmed') {
      this.outcome = 'admitted';
      this.reservation = reservation;
      this.duplicate = duplicate;
      this.state = state;
    }
  },
);

const Other = withJson(
  class {
    constructor(answer: Admission) {
      Object.assign(this, answer);
    }
  },
) as new (
  answer: Admission,
) => Admission;

/** Makes the answer 'admitted' for an order that is durable in a store. */
export function storedAs(reservation: bigint): Admission {
  return new Other({ outcome: 'admitted', reservation, duplicate: false, state: 'held', stored: true });
}

/** Makes the admission for an order that was admitted before, by the present state of its reservation. */
export function standingOf(reservation: bigint, state: ReservationState): Earlier {
  return state === 'held' || state === 'confirmed'
    ? (new Admitted(reservation, true, state) as Earlier)
    : (new Other({ outcome: 'already-ended', reservation, state }) as Earlier);
}

/** Makes the admission for an order whose id was reserved without a gate. */
export function reservedDirectly(reservation: bigint): Earlier {
  return new Other({ outcome: 'reserved-directly', reservation }) as Earlier;
}

/** Returns the admission for an order whose id was admitted or reserved before; undefined for any other answer. */
export function ofThePast(answer: number, reservation: bigint): Admission | undefined {
  switch (answer) {
    case outcomes.duplicate:
      return standingOf(reservation, 'held');
    case outcomes.confirmed:
      return standingOf(reservation, 'confirmed');
    case outcomes.requeued:
      return new Other({ outcome: 'admitted', reservation, duplicate: true, state: 'held', requeued: true });
    case outcomes.cancelled:
      return standingOf(reservation, 'cancelled');
    case outcomes.expired:
      return standingOf(reservation, 'expired');
    case outcomes.unknown:
      return standingOf(reservation, 'unknown');
    case reserveResults['reserved-directly']:
      return reservedDirectly(reservation);
    default:
      return undefined;
  }
}

/**
 * The admissions for refusals without details, by the answer of native `admit`; undefined for its other answers. The
 * numbers below `limited` are those of `outcomes` and, for refusals by the stock, of `reserveResults`. The admissions
 * are made once, because many orders may be refused at a time.
 */
const refusals: readonly (Admission | undefined)[] = Array.from({ length: limited }, (_, answer) => {
  const outcome =
    answer === outcomes['queue-full']
      ? 'queue-full'
      : answer === outcomes.closed
        ? 'closed'
        : refusalName(answer);
  return outcome && (Object.freeze({ outcome }) as Admission);
});

/** The admission for an order for which the queue has no room. */
export const queueFull: Admission = refusals[outcomes['queue-full']] as Admission;

/** Makes the admission for a refusal by the limiter. `answer`: `limited` plus the number of the refusal. */
export function limitedBy(answer: number, retryAfterMs: number): Admission {
  const refusal = answer - limited;
  return { outcome: 'rate-limited', tier: tierOf(refusal), window: windowOf(refusal), retryAfterMs };
}

/**
 * Returns the admission for a refusal by the stock or the queue; undefined if `answer` is no such refusal. `line`: the
 * line because of which a cart was refused.
 */
export function refusedFor(answer: number, line: CartLine | undefined): Admission | undefined {
  const refusal = refusals[answer];
  return refusal !== undefined && line !== undefined && aboutOneItem.has(refusal.outcome as Refusal)
    ? ({ ...refusal, sku: line.sku } as Admission)
    : refusal;
}
