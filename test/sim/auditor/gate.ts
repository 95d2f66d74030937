import type { Answer, Line } from './cart.js';
import type { Ledger } from './ledger.js';
import type { LimiterAuditor } from './limiter-line.js';
import { type Entry, QueueAuditor, type QueueShape } from './queue.js';

/** An order in the queue of a gate. */
export interface Queued<T> {
  readonly order: T;
  /** The name of its reservation. */
  reservation: number | undefined;
  /** Not pushed past the gate: the limiter counts it in flight. */
  admitted: boolean;
}
export interface Request {
  readonly lines: readonly Line[];
  readonly user: string | undefined;
  readonly id: string | undefined;
  readonly holdNs: number;
}
export type Admission =
  | { readonly outcome: 'admitted'; readonly name: number | undefined; readonly duplicate: boolean }
  | { readonly outcome: 'rate-limited'; readonly tier: string; readonly retryAfterNs: number }
  | { readonly outcome: string }
  | { readonly error: string };

/** Limiter, stock and queue as one step, all or nothing. */
export class GateAuditor<T> {
  readonly queue: QueueAuditor<Queued<T>>;
  readonly counters = {
    admitted: 0,
    duplicates: 0,
    rateLimited: 0,
    queueFull: 0,
    soldOut: 0,
    userLimit: 0,
    otherwiseRefused: 0,
  };

  constructor(
    shape: QueueShape,
    readonly ledger: () => Ledger | undefined,
    readonly limiter: LimiterAuditor | undefined,
  ) {
    this.queue = new QueueAuditor(shape);
  }

  admit(name: number, order: T, deadline: number, request: Request, now: number): Admission {
    const admission = this.#decide(name, order, deadline, request, now);
    this.#count(admission);
    return admission;
  }

  #decide(name: number, order: T, deadline: number, request: Request, now: number): Admission {
    const ledger = this.ledger();
    const { lines, holdNs, ...who } = request;
    if (this.queue.closed) return { outcome: 'closed' };
    if (ledger !== undefined) {
      if (lines.some(({ quantity }) => quantity === 0)) return { error: 'ERR_SLUICE_FIELD' };
      // Sold out comes before all else, and charges nothing.
      if (ledger.objection(lines, who.user)) return answered(ledger.reserve(name, now, lines, who, holdNs));
    }
    const recalled = ledger?.recall(lines, who);
    if (this.queue.isFull(0)) return recalled ? answered(recalled) : { outcome: 'queue-full' };
    const charged = this.limiter?.admit(now);
    if (charged !== undefined && 'tier' in charged) {
      return recalled ? answered(recalled) : { outcome: 'rate-limited', ...charged };
    }
    const reserved = ledger?.reserve(name, now, lines, who, holdNs);
    if (reserved !== undefined && !('ok' in reserved && reserved.ok && !reserved.duplicate)) {
      charged?.refund();
      return answered(reserved);
    }
    const reservation = ledger === undefined ? undefined : name;
    this.queue.push(0, [{ value: { order, reservation, admitted: true }, deadline }]);
    return { outcome: 'admitted', name: reservation, duplicate: false };
  }

  /** Takes up to `max` orders; what is dropped on the way goes back on sale. */
  take(max: number, now: number): Array<Queued<T>> {
    const taken = this.queue.look(max, now);
    for (const { value } of this.queue.drops.splice(0)) this.resolve(value, false, now);
    return taken;
  }
  hasLive(now: number): boolean {
    return this.queue.lanes.some(({ entries }) => entries.some((entry) => isLive(entry, now)));
  }

  /** An order is decided: it leaves the limiter, and its reservation is sold or on sale again. */
  resolve({ reservation, admitted }: Queued<T>, confirm: boolean, now: number): string {
    if (admitted) this.limiter?.release(0, 1, now);
    const ledger = this.ledger();
    if (ledger === undefined) return confirm ? 'confirmed' : 'cancelled';
    if (reservation === undefined) return 'unknown';
    return confirm ? ledger.confirm(reservation, now) : ledger.cancel(reservation, now);
  }

  /** Whoever had these in hand is gone: they are no longer in flight, and their reservations run out. */
  abandon(inHand: ReadonlyArray<Queued<T>>, now: number): void {
    for (const { admitted } of inHand) if (admitted) this.limiter?.release(0, 1, now);
  }

  /** Another gate begins on the same queue: what is in it is as if pushed past. */
  replaced(): void {
    for (const { value } of this.queue.lanes.flatMap(({ entries }) => entries)) {
      value.reservation = undefined;
      value.admitted = false;
    }
    for (const counter of Object.keys(this.counters)) this.counters[counter as 'admitted'] = 0;
  }

  #count(admission: Admission): void {
    const { counters } = this;
    if ('error' in admission) counters.otherwiseRefused++;
    else if ('duplicate' in admission) counters[admission.duplicate ? 'duplicates' : 'admitted']++;
    else if (admission.outcome === 'rate-limited') counters.rateLimited++;
    else if (admission.outcome === 'queue-full') counters.queueFull++;
    else if (admission.outcome === 'sold-out') counters.soldOut++;
    else if (admission.outcome === 'user-limit') counters.userLimit++;
    else counters.otherwiseRefused++;
    if ('outcome' in admission && admission.outcome === 'queue-full') this.queue.counters.rejected++;
  }
}

function isLive({ deadline }: Entry<unknown>, now: number): boolean {
  return now < deadline;
}

function answered(answer: Answer): Admission {
  if ('error' in answer) return answer;
  if (!answer.ok) return { outcome: answer.reason };
  return { outcome: 'admitted', name: answer.name, duplicate: answer.duplicate };
}
