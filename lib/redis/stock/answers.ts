import {
  AdmittedByGate,
  aboutOneItem,
  type CartLine,
  type Refusal,
  type Refused,
  type Reserved,
  ReservedAnswer,
} from '../../stock/index.js';
import type { Outcome } from './order.js';

/** Why units were not reserved: as in a stock of one process, and two reasons more. */
export type RedisRefusal =
  | Exclude<Refusal, 'ledger-full' | 'sale-over' | 'users-full' | 'ids-full' | 'in-progress'>
  /**
   * The server has not answered in time, or too many calls wait. The order may be settled or not, or be so later: ask
   * again with the same id. Without an id its units go back on sale as soon as the server answers.
   */
  | 'unavailable'
  /** This process had leased the units, lost the lease because it stood still for too long, and none are left. */
  | 'revoked';

/** Nothing was reserved. */
export interface RedisRefused extends Omit<Refused, 'reason'> {
  /** Why nothing was reserved. */
  readonly reason: RedisRefusal;
}

/** Returns the answer of `reserve` and `reserveAll`. */
export function answerOf(
  outcome: Outcome,
  lines: readonly CartLine[],
  isCart: boolean,
): Reserved | RedisRefused {
  if (outcome.kind === 'refused') return refused(outcome.reason as RedisRefusal, outcome.line, lines, isCart);
  const { kind, reservation, state, leftMs, byGate } = outcome;
  if (byGate) return new AdmittedByGate(reservation) as RedisRefused;
  return new ReservedAnswer(reservation, leftMs, kind === 'duplicate', state);
}

export function refused(
  reason: RedisRefusal,
  line: number,
  lines: readonly CartLine[],
  isCart: boolean,
): RedisRefused {
  const sku = lines[line]?.sku;
  return isCart && sku !== undefined && (aboutOneItem as ReadonlySet<string>).has(reason)
    ? { ok: false, reason, sku }
    : { ok: false, reason };
}
