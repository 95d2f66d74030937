import type { Answer, Line } from './cart.js';
import { InHand } from './in-hand.js';
import type { Ledger } from './ledger.js';
import type { Refusal } from './limiter.js';
import type { LimiterAuditor } from './limiter-line.js';
import { QueueAuditor, type QueueShape } from './queue.js';

/** An order in the queue of a gate. */
export interface Queued<T> {
  readonly order: T;
  /** The name of its reservation. */
  reservation: number | undefined;
  /**
   * False if the order was pushed past the gate, or was admitted by a gate that another has replaced. If true, the gate
   * gives the order's place in flight back to the limiter, if it has one.
   */
  admitted: boolean;
  /** The number of the limiter's key. */
  readonly keyAt: number;
  readonly holdNs: number;
}
export interface Request {
  readonly lines: readonly Line[];
  /** Whether the lines were given as a cart: then a refusal names the item. */
  readonly cart: boolean;
  readonly user: string | undefined;
  readonly id: string | undefined;
  readonly holdNs: number;
  readonly keyAt: number;
}
export type Admission =
  | {
      readonly outcome: 'admitted';
      readonly name: number | undefined;
      readonly duplicate: boolean;
      readonly state: string;
      readonly requeued?: true;
    }
  | { readonly outcome: 'already-ended'; readonly name: number; readonly state: string }
  | { readonly outcome: 'reserved-directly'; readonly name: number }
  | (Refusal & { readonly outcome: 'rate-limited'; readonly retryAfterNs: number })
  | { readonly outcome: string; readonly sku?: number | string }
  | { readonly error: string };

/** The model of a gate: limiter, stock and queue as one step, all or nothing. */
export class GateAuditor<T> {
  readonly queue: QueueAuditor<Queued<T>>;
  /** The orders that a consumer has taken and not decided. */
  readonly inHand: InHand<Queued<T>>;
  readonly counters = {
    admitted: 0,
    duplicates: 0,
    requeued: 0,
    rateLimited: 0,
    queueFull: 0,
    soldOut: 0,
    userLimit: 0,
    otherwiseRefused: 0,
  };

  constructor(
    shape: QueueShape,
    maxInHand: number,
    readonly ledger: () => Ledger | undefined,
    readonly limiter: LimiterAuditor | undefined,
  ) {
    this.queue = new QueueAuditor(shape);
    this.inHand = new InHand(maxInHand);
  }

  admit(name: number, order: T, deadline: number, request: Request, now: number): Admission {
    const admission = this.#decide(name, order, deadline, request, now);
    this.#settleOverwritten(now);
    this.#count(admission);
    return admission;
  }

  #decide(name: number, order: T, deadline: number, request: Request, now: number): Admission {
    const ledger = this.ledger();
    const { lines, holdNs, keyAt, cart, user, id } = request;
    const who = { user, id, byGate: true };
    const answered = (answer: Answer): Admission =>
      admissionOf(answer, cart, (reservation) => ledger?.stateAt(reservation, now) ?? 'held');
    if (this.queue.closed) return { outcome: 'closed' };
    if (ledger !== undefined) {
      if (lines.some(({ quantity }) => quantity === 0)) return { error: 'ERR_SLUICE_FIELD' };
      // The stock is asked first. If it objects, and the order is not one to requeue, neither the queue nor the limiter
      // is asked, and nothing is charged.
      const objection = ledger.objectionPastDue(lines, user, now);
      const stranded = ledger.stranded(lines, who, now) !== undefined;
      if (!stranded && objection) return answered(ledger.reserve(name, now, lines, who, holdNs));
    }
    const stranded = ledger?.stranded(lines, who, now);
    const recalled = stranded === undefined ? ledger?.recall(lines, who) : undefined;
    if (this.queue.isFull(0)) return recalled ? answered(recalled) : { outcome: 'queue-full' };
    const charged = this.limiter?.admit(keyAt, now);
    if (charged !== undefined && 'tier' in charged) {
      return recalled ? answered(recalled) : { outcome: 'rate-limited', ...charged };
    }
    if (ledger !== undefined && stranded !== undefined) {
      ledger.requeue(id as string, stranded, now, holdNs);
      const value = { order, reservation: stranded, admitted: true, keyAt, holdNs };
      this.queue.push(0, [{ value, deadline }]);
      return { outcome: 'admitted', name: stranded, duplicate: true, state: 'held', requeued: true };
    }
    const reserved = ledger?.reserve(name, now, lines, who, holdNs);
    if (reserved !== undefined && !('ok' in reserved && reserved.ok && !reserved.duplicate)) {
      charged?.refund();
      return answered(reserved);
    }
    const reservation = ledger === undefined ? undefined : name;
    const value = { order, reservation, admitted: true, keyAt, holdNs };
    this.queue.push(0, [{ value, deadline }]);
    return { outcome: 'admitted', name: reservation, duplicate: false, state: 'held' };
  }

  /** Pushes an order to the queue, past the gate. Returns whether it was accepted; undefined if the queue is closed. */
  pushPast(order: T, deadline: number, now: number): boolean | undefined {
    const value = { order, reservation: undefined, admitted: false, keyAt: 0, holdNs: 0 };
    const taken = this.queue.push(0, [{ value, deadline }]);
    this.#settleOverwritten(now);
    return taken < 0 ? undefined : taken === 1;
  }

  /**
   * Takes up to `max` orders: those that an earlier consumer left, or if there are none, orders from the queue. Units
   * of orders that the queue drops go back on sale.
   */
  take(max: number, now: number): Array<Queued<T>> {
    const again = this.inHand.again(max);
    const taken = again.length > 0 ? again : this.queue.look(Math.min(max, this.inHand.room), now);
    if (again.length === 0) this.inHand.add(taken);
    for (const { value } of this.queue.drops.splice(0)) this.#settle(value, false, now);
    for (const order of taken) this.inHand.renewAt(order, this.#renewalOf(order, now));
    return taken;
  }
  hasLive(now: number): boolean {
    return (
      this.inHand.waits || this.queue.lanes.some(({ entries }) => entries.some((one) => now < one.deadline))
    );
  }

  /** Decides an order: it is no longer in flight, and its units are sold or go back on sale. */
  resolve(order: Queued<T>, confirm: boolean, now: number): string {
    const resolution = this.#settle(order, confirm, now);
    this.inHand.remove(order);
    return resolution;
  }

  /**
   * Decides an order by selling `quantity` of its units. If this returns 'ERR_SLUICE_OPTION', the order is not decided.
   */
  sell(order: Queued<T>, quantity: number, now: number): string {
    const ledger = this.ledger();
    const { reservation, admitted, keyAt } = order;
    if (ledger === undefined || reservation === undefined) return this.resolve(order, true, now);
    const sold = ledger.confirm(reservation, now, { quantity });
    if (sold === 'ERR_SLUICE_OPTION') return sold;
    if (admitted) this.limiter?.release(keyAt, 1, now);
    this.inHand.remove(order);
    return sold;
  }

  /**
   * Renews the holds of the orders handed out: each hold that is half over, or will be within an eighth of the hold.
   * Returns the nanoseconds until the next renewal is due.
   */
  renew(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const order of this.inHand.handedOut) {
      const due = this.inHand.renewalOf(order);
      if (due === undefined) continue;
      if (now + Math.floor(order.holdNs / 8) >= due) {
        const done = this.ledger()?.extend(order.reservation as number, now, order.holdNs);
        const again = now + order.holdNs - Math.floor(order.holdNs / 2);
        this.inHand.renewAt(order, done === 'extended' ? again : undefined);
      }
      next = Math.min(next, this.inHand.renewalOf(order) ?? next);
    }
    return next - now;
  }

  /**
   * Another gate begins on the same queue: the orders of this one are no longer in flight, and their reservations are
   * left to expire.
   */
  replaced(now: number): void {
    const left = this.queue.lanes.flatMap(({ entries }) => entries.map(({ value }) => value));
    for (const order of [...left, ...this.inHand.orders]) {
      if (order.admitted) this.limiter?.release(order.keyAt, 1, now);
      order.reservation = undefined;
      order.admitted = false;
    }
    this.inHand.clear();
    for (const counter of Object.keys(this.counters)) this.counters[counter as 'admitted'] = 0;
  }

  /** Puts the units of orders that were overwritten by newer ones back on sale. */
  #settleOverwritten(now: number): void {
    for (const order of this.queue.overwritten.splice(0)) this.#settle(order, false, now);
  }
  #settle({ reservation, admitted, keyAt }: Queued<T>, confirm: boolean, now: number): string {
    const ledger = this.ledger();
    const decided = confirm ? 'confirmed' : 'cancelled';
    const resolution = ledger === undefined ? decided : resolve(ledger, reservation, confirm, now);
    if (admitted) this.limiter?.release(keyAt, 1, now);
    return resolution;
  }

  #renewalOf({ reservation, holdNs }: Queued<T>, now: number): number | undefined {
    const until = reservation === undefined ? undefined : this.ledger()?.heldUntil(reservation);
    return until === undefined || until <= now ? undefined : until - Math.floor(holdNs / 2);
  }

  #count(admission: Admission): void {
    const { counters } = this;
    if ('error' in admission) counters.otherwiseRefused++;
    else if ('requeued' in admission) counters.requeued++;
    else if ('duplicate' in admission) counters[admission.duplicate ? 'duplicates' : 'admitted']++;
    else if (admission.outcome === 'rate-limited') counters.rateLimited++;
    else if (admission.outcome === 'queue-full') counters.queueFull++;
    else if (admission.outcome === 'sold-out') counters.soldOut++;
    else if (admission.outcome === 'user-limit') counters.userLimit++;
    else counters.otherwiseRefused++;
    if ('outcome' in admission && admission.outcome === 'queue-full') this.queue.counters.rejected++;
  }
}

function resolve(ledger: Ledger, reservation: number | undefined, confirm: boolean, now: number): string {
  if (reservation === undefined) return 'unknown';
  return confirm ? ledger.confirm(reservation, now) : ledger.cancel(reservation, now);
}

function admissionOf(answer: Answer, cart: boolean, stateOf: (reservation: number) => string): Admission {
  if ('error' in answer) return answer;
  if (answer.ok) {
    const { name, duplicate } = answer;
    const state = stateOf(name);
    const lives = state === 'held' || state === 'confirmed';
    return lives
      ? { outcome: 'admitted', name, duplicate, state }
      : { outcome: 'already-ended', name, state };
  }
  if (answer.name !== undefined) return { outcome: 'reserved-directly', name: answer.name };
  return { outcome: answer.reason, ...(cart && answer.sku !== undefined && { sku: answer.sku }) };
}
