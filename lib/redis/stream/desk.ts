import { Buffer } from 'node:buffer';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import { backoffMs } from '../../backoff.js';
import { onAbort } from '../../input/index.js';
import { countsIn, type Link, list, retryMs, sleep, text } from '../client/index.js';
import type { Reservations, WithReservation } from './reservations.js';
import type { Plan } from './worker-options.js';
import { renew, settle } from './worker-scripts.js';

/** An order that this process has from the stream and has not settled. */
export interface InHand<T> extends WithReservation {
  /** The id of its entry. */
  readonly id: string;
  readonly order: T;
  /** The name of the consumer that has it. */
  readonly consumer: string;
  readonly deliveries: number;
  /** Whether an earlier consumer fell silent with it: the order may have ended that consumer's process. */
  readonly isSuspect: boolean;
  /** The time, by `performance.now()`, after which another consumer may have it. */
  deadline: number;
  /** Whether a handler has been called with it. */
  isStarted: boolean;
  /** Whether another consumer has it, or has settled it. */
  isLost: boolean;
  /** What its handler has decided, by its hold or by its return. */
  decision: 'confirmed' | 'cancelled' | undefined;
  /** Whether its handler has ended or took too long. */
  isOut: boolean;
}

/** What became of orders, for `stats()`. */
export interface DeskCounts {
  handled: number;
  cancelled: number;
  failed: number;
  expired: number;
  unconfirmed: number;
  deadLetters: number;
  deadLettersFull: number;
  lost: number;
  late: number;
}

interface Failed {
  readonly id: string;
  readonly consumer: string;
  /** -1: a dead letter. */
  readonly delayMs: number;
  readonly deliveries: number;
  readonly reason: string;
  readonly error: string;
}

const donePerScript = 256;
const failedPerScript = 64;
const renewedPerScript = 256;
const callMs = 5_000;
const errorMax = 500;
/** With so many orders that are decided and not settled, as while the server lacks memory, no more are handed out. */
const unsettledMax = 4_096;

/** Keeps the orders in hand, reports to the server what became of them, and renews those that take long. */
export class Desk<T> {
  readonly counts: DeskCounts = {
    ...{ handled: 0, cancelled: 0, failed: 0, expired: 0, unconfirmed: 0 },
    ...{ deadLetters: 0, deadLettersFull: 0, lost: 0, late: 0 },
  };
  readonly reservations: Reservations;
  readonly #plan: Plan<T>;
  readonly #link: Link;
  readonly #fault: (error: unknown) => Promise<void>;
  readonly #inHand = new Map<string, InHand<T>>();
  /**
   * The orders that are decided and not settled yet, each with its consumer. The server may hand them out again
   * meanwhile.
   */
  readonly #unsettled = new Map<string, string>();
  #done: string[] = [];
  #failed: Failed[] = [];
  /** How many orders are decided, and their reservations are not yet. */
  #deciding = 0;
  #wake: (() => void) | undefined;

  constructor(
    plan: Plan<T>,
    link: Link,
    reservations: Reservations,
    fault: (error: unknown) => Promise<void>,
  ) {
    this.#plan = plan;
    this.#link = link;
    this.reservations = reservations;
    this.#fault = fault;
  }

  get size(): number {
    return this.#inHand.size;
  }

  get unsettled(): number {
    return this.#done.length + this.#failed.length + this.#deciding;
  }

  /** Whether no more orders may be handed out before some are settled. */
  get isFull(): boolean {
    return this.unsettled >= unsettledMax;
  }

  /** The number of suspects in hand. */
  get suspects(): number {
    let count = 0;
    for (const { isSuspect } of this.#inHand.values()) if (isSuspect) count++;
    return count;
  }

  /** The ids that handlers of `consumer` have got and not settled. */
  started(consumer: string): string[] {
    return [...this.#inHand.values()]
      .filter((one) => one.consumer === consumer && one.isStarted)
      .map(({ id }) => id);
  }

  /** Whether an entry of this id is in hand, or decided: then it must not be handed out once more. */
  has(id: string): boolean {
    return this.#inHand.has(id) || this.#unsettled.has(id);
  }

  /** Whether an order of this consumer is decided and not settled. */
  isSettling(consumer: string): boolean {
    for (const its of this.#unsettled.values()) if (its === consumer) return true;
    return false;
  }

  enter(one: InHand<T>): void {
    this.#inHand.set(one.id, one);
  }

  /** Whether another consumer may have the order by now. */
  isExpired(one: InHand<T>): boolean {
    return one.isOut || one.isLost || performance.now() > one.deadline;
  }

  /**
   * The order is done, by a handler or because it was cancelled: it is not handed out again. Its reservation is decided
   * first: if this process dies in between, the next one finds it decided.
   */
  finish(one: InHand<T>): void {
    const { id, consumer, decision = 'confirmed' } = one;
    this.#unsettled.set(id, consumer);
    if (!this.reservations.has(one)) {
      this.#acknowledge(id);
      return;
    }
    this.#deciding++;
    void this.reservations.decide(one, decision).then((resolution) => {
      this.#deciding--;
      if (resolution === undefined) {
        // The workers have ended first. The order comes again, and the next process finds out what it has become.
        this.#wake?.();
        return;
      }
      this.#acknowledge(id);
      const isAsDecided = resolution === decision || resolution === `already-${decision}`;
      if (decision === 'confirmed' && !isAsDecided) this.counts.unconfirmed++;
    });
  }

  #acknowledge(id: string): void {
    this.#done.push(id);
    this.#wake?.();
  }

  /** The handler failed: the order waits for its next try, or becomes a dead letter. */
  fail(one: InHand<T>, error: unknown): void {
    this.counts.failed++;
    const isLast = one.deliveries >= this.#plan.maxDeliveries;
    const delayMs = isLast ? -1 : Math.round(backoffMs(this.#plan.backoff, one.deliveries));
    if (!isLast) void this.reservations.extend(one, delayMs);
    const { id, consumer, deliveries } = one;
    this.#push({ id, consumer, delayMs, deliveries, reason: 'failed', error: shown(error) });
  }

  /** The entry is no order: it becomes a dead letter. */
  refuse(id: string, consumer: string, deliveries: number, error: unknown): void {
    this.#push({ id, consumer, delayMs: -1, deliveries, reason: 'foreign', error: shown(error) });
  }

  /** The order is no longer in the hands of a handler. */
  leave(one: InHand<T>): void {
    if (this.#inHand.get(one.id) === one) this.#inHand.delete(one.id);
  }

  #push(failed: Failed): void {
    this.#unsettled.set(failed.id, failed.consumer);
    this.#failed.push(failed);
    this.#wake?.();
  }

  /** Settles what is decided, some milliseconds' worth with each script, until `end` aborts and nothing is left. */
  async settleAll(end: AbortSignal, giveUp: AbortSignal): Promise<void> {
    for (const signal of [end, giveUp]) onAbort(signal, () => this.#wake?.());
    for (let failures = 0; !giveUp.aborted; ) {
      if (this.#done.length + this.#failed.length === 0) {
        if (end.aborted && this.#deciding === 0) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        await new Promise((resolve) => setImmediate(resolve)); // so that orders decided now go together
        continue;
      }
      const done = this.#done.splice(0, donePerScript);
      const failed = this.#failed.splice(0, failedPerScript);
      try {
        await this.#settle(done, failed);
        failures = 0;
        for (const id of done) this.#unsettled.delete(id);
        for (const { id } of failed) this.#unsettled.delete(id);
      } catch (error) {
        this.#done = [...done, ...this.#done];
        this.#failed = [...failed, ...this.#failed];
        await this.#fault(error);
        await sleep(retryMs(++failures), giveUp);
      }
    }
  }

  async #settle(done: readonly string[], failed: readonly Failed[]): Promise<void> {
    const { keys, group, dead, maxDead } = this.#plan;
    const args = [
      ...[group, maxDead, done.length, ...done],
      ...failed.flatMap((one) => [one.id, one.consumer, one.delayMs, one.deliveries, one.reason, one.error]),
    ];
    const reply = list(
      await this.#link.use(callMs, (port) => settle.run(port, [keys.stream, keys.retry(group), dead], args)),
    );
    const [acknowledged, full] = countsIn(reply.slice(0, 2), 2) as [number, number];
    this.counts.late += done.length - acknowledged;
    this.bury(list(reply[2]), full);
  }

  /** Counts dead letters. `buried`: for each its reservation, '' for none; `full`: how many found no room. */
  bury(buried: readonly unknown[], full: number): void {
    this.counts.deadLetters += buried.length;
    this.counts.deadLettersFull += full;
    for (const reservation of buried) void this.reservations.release(text(reservation));
  }

  /** Renews the orders in hand until `end` aborts. */
  async renewAll(end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      await sleep(Math.min(this.#plan.claimIdleMs / 4, this.reservations.renewMs), end);
      if (end.aborted) return;
      const held = [...this.#inHand.values()].filter(({ isLost }) => !isLost);
      for (const one of held) if (one.decision === undefined) void this.reservations.extend(one);
      for (let at = 0; at < held.length; at += renewedPerScript) {
        await this.#renew(held.slice(at, at + renewedPerScript)).catch((error: unknown) =>
          this.#fault(error),
        );
      }
    }
  }

  async #renew(held: readonly InHand<T>[]): Promise<void> {
    const { keys, group, claimIdleMs } = this.#plan;
    const deadline = performance.now() + claimIdleMs;
    const args = [group, ...held.flatMap(({ id, consumer }) => [id, consumer])];
    const reply = await this.#link.use(callMs, (port) => renew.run(port, [keys.stream], args));
    const lost = new Set(list(reply).map(text));
    for (const one of held) {
      if (!lost.has(one.id)) one.deadline = deadline;
      else if (this.#inHand.get(one.id) === one && !this.#unsettled.has(one.id)) {
        one.isLost = true;
        this.counts.lost++;
      }
    }
  }
}

/** Returns an error as a short text, whatever it is. */
function shown(error: unknown): string {
  try {
    const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return Buffer.from(said.slice(0, errorMax)).toString();
  } catch {
    return 'an error that cannot be shown';
  }
}
