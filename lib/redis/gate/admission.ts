import { type Admission, Admitted, reservedDirectly, standingOf } from '../../gate/index.js';
import type { Tier } from '../../limiter/index.js';
import { aboutOneItem, type Refusal } from '../../stock/index.js';
import type { Outcome, RedisRefusal, Request } from '../stock/index.js';

/**
 * The answer of `RedisGate.admit`: those of a gate of one process that can come of a sale on Redis, and two more. In
 * JSON the reservation is a decimal string, which the methods of `RedisStock` accept, too.
 */
export type RedisAdmission =
  | {
      /** The order is reserved and in the stream. */
      readonly outcome: 'admitted';
      /** Names the reservation for the methods of `RedisStock`. */
      readonly reservation: bigint;
      /** True if an earlier call with this id was admitted. This call then charged, reserved and queued nothing. */
      readonly duplicate: boolean;
      /**
       * The state of the reservation. 'held': the workers of the stream decide the order. 'confirmed': the units are
       * sold; only a duplicate can have this state.
       */
      readonly state: 'held' | 'confirmed';
    }
  | Extract<Admission, { readonly outcome: 'already-ended' | 'reserved-directly' }>
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
      /**
       * Why nothing was admitted: as `Admission.outcome`, or 'unavailable' (no answer in time: the order may be
       * admitted or not, or be so later; ask again with the same id) or 'revoked' (this process stood still for so long
       * that it lost the units that it had leased, and none are left).
       */
      readonly outcome: Exclude<RedisRefusal, 'admitted-by-gate'> | 'queue-full';
      /** The item because of which a cart was refused, if it was one item. */
      readonly sku?: number | string;
    };

type Refused = Extract<RedisAdmission, { readonly sku?: number | string }>;

/** The refusals without details. They are made once, because many orders may be refused at a time. */
const refusals = new Map<Refused['outcome'], Refused>();

/** Returns the admission for a refusal. `line`: the index of the line that it is about. */
export function refusedFor(reason: Refused['outcome'], line: number, request?: Request): Refused {
  const sku = request?.isCart === true ? request.lines[line]?.sku : undefined;
  if (sku !== undefined && aboutOneItem.has(reason as Refusal)) return { outcome: reason, sku };
  let refusal = refusals.get(reason);
  if (refusal === undefined) {
    refusal = Object.freeze({ outcome: reason });
    refusals.set(reason, refusal);
  }
  return refusal;
}

/** Returns the admission for what the server has answered. `isQueued`: admitted orders go to a stream. */
export function admissionOf(outcome: Outcome, request: Request, isQueued: boolean): RedisAdmission {
  if (outcome.kind === 'refused')
    return refusedFor(outcome.reason as Refused['outcome'], outcome.line, request);
  const { kind, reservation, state, byGate } = outcome;
  if (isQueued && !byGate) return reservedDirectly(reservation) as RedisAdmission;
  // Workers may have sold it before a repeated call was answered.
  const isNew = kind === 'reserved' && (state === 'held' || state === 'confirmed');
  const admission = isNew ? new Admitted(reservation, false, 'held') : standingOf(reservation, state);
  return admission as RedisAdmission;
}
