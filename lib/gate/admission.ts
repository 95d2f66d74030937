import { outcomes, reserveResults } from '../binding/index.js';
import { withJson } from '../json.js';
import type { Tier } from '../limiter/index.js';
import type { Refusal } from '../stock/index.js';

/**
 * What `gate.admit` answers. In JSON, as JSON.stringify() makes it, a reservation is a decimal string, which
 * `stock.confirm` and its like accept.
 */
export type Admission =
  | {
      readonly outcome: 'admitted';
      /** 0n if the gate has no stock. */
      readonly reservation: bigint;
      /** Admitted by an earlier call with this id: nothing was charged or reserved now, or queued but if `requeued`. */
      readonly duplicate: boolean;
      /**
       * What its reservation is now. 'held': its hold runs, and whoever consumes the queue decides it. 'confirmed': it
       * is sold, as only a duplicate can be.
       */
      readonly state: 'held' | 'confirmed';
      /**
       * True for a duplicate whose order was in no queue, because the stock was restored: it has been charged and
       * queued now as a new one is, under its reservation. Else absent.
       */
      readonly requeued?: true;
    }
  | {
      /** The id was admitted before, and nobody will handle its order any more. */
      readonly outcome: 'already-ended';
      readonly reservation: bigint;
      /**
       * 'cancelled': by its handler, by `stock.cancel`, or because the queue dropped it, for a newer order, say.
       * 'expired': its hold ran out. 'unknown': so long ago that its place in the ledger has been used again.
       */
      readonly state: 'cancelled' | 'expired' | 'unknown';
    }
  | {
      /** The id was reserved by `stock.reserve` or `reserveAll`: nothing was charged or queued. */
      readonly outcome: 'reserved-directly';
      /** For `stock.confirm` and its like, which decide it. */
      readonly reservation: bigint;
    }
  | {
      readonly outcome: 'rate-limited';
      readonly tier: Tier;
      /** Of 'sliding-window' which one: its index in the limiter's option. */
      readonly window: number | undefined;
      /** As `Decision.retryAfterMs` of the limiter. */
      readonly retryAfterMs: number;
    }
  | {
      readonly outcome: Exclude<Refusal, 'admitted-by-gate'> | 'queue-full' | 'closed';
      /** Of a cart: the item that the refusal is about, if it is about one. */
      readonly sku?: number | string;
    };

/** The plain objects that these admissions are, with a `toJSON`. */
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

/** What an order is told that came before, or whose id did; undefined if the answer is another. */
export function ofThePast(answer: number, reservation: bigint): Admission | undefined {
  switch (answer) {
    case outcomes.duplicate:
      return new Admitted(reservation, true, 'held');
    case outcomes.confirmed:
      return new Admitted(reservation, true, 'confirmed');
    case outcomes.requeued:
      return new Other({ outcome: 'admitted', reservation, duplicate: true, state: 'held', requeued: true });
    case outcomes.cancelled:
      return new Other({ outcome: 'already-ended', reservation, state: 'cancelled' });
    case outcomes.expired:
      return new Other({ outcome: 'already-ended', reservation, state: 'expired' });
    case outcomes.unknown:
      return new Other({ outcome: 'already-ended', reservation, state: 'unknown' });
    case reserveResults['reserved-directly']:
      return new Other({ outcome: 'reserved-directly', reservation });
    default:
      return undefined;
  }
}
