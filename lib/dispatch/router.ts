import { channel } from 'node:diagnostics_channel';
import { backoffMs } from '../backoff.js';
import { reportUnconfirmed } from '../gate/index.js';
import { LinkedList } from '../linked-list.js';
import type { Resolution } from '../stock/index.js';
import type { Delays } from './delays.js';
import { asError, type Report, reportedError } from './envelope.js';
import { Job } from './job.js';
import { KeyLines, keyText } from './key-lines.js';
import type { Checked } from './options.js';
import type { Seat } from './seat.js';
import type { Source, Taken } from './source.js';

/** Publishes each failure of an order: `{ order, error, deliveries, reservation }`. */
const failures = channel('sluice:dispatch:handler-failed');

/** Publishes each order that the dead letters have taken: a `DeadLetter`. */
const deadLettered = channel('sluice:dispatch:dead-lettered');

/** An order that the crew had taken and did not finish before its end. */
export interface Unfinished<T> {
  /** The order, as the source had it. */
  readonly order: T;
  /** How often a handler was given the order. */
  readonly deliveries: number;
  /** Its reservation, which is still held; undefined without a stock. */
  readonly reservation: bigint | undefined;
  /**
   * Whether it is still in the store of its queue's overflow, which gives it to the next process: do not push it again.
   */
  readonly stored: boolean;
}

/**
 * Decides which order goes to which worker, and what becomes of it:
 *
 *                    +-> line: behind another order of its key
 *                    |     |
 *   taken from the   |     v                 returned
 *   source ----------+-> ready --> out ------------------------------------> done: confirmed
 *                          ^        |  failed, or the worker ended
 *                          |        v
 *                          +----- delayed          failed too often
 *                                   +------------------------------> burying --> done: cancelled
 */
export class Router<T> {
  /** The orders in hand. */
  readonly #jobs = new Set<Job<T>>();
  readonly #lines = new KeyLines<T>();
  /** Orders that any worker may take. */
  readonly #ready = new LinkedList<Job<T>>();
  readonly #checked: Checked<T>;
  readonly #source: Source<T>;
  readonly #delays: Delays;
  readonly #fail: (error: unknown) => void;
  /** Set before the first order comes. */
  seats: ReadonlyArray<Seat<T>> = [];
  readonly #unfinished: Array<Job<T>> = [];
  #tickets = 0;
  #closing = false;
  #wakeSource: (() => void) | undefined;
  handled = 0;
  failures = 0;
  deadLettered = 0;
  deadLetterFailures = 0;

  /** `fail` is called when the source can decide no more orders. It ends the crew. */
  constructor(checked: Checked<T>, source: Source<T>, delays: Delays, fail: (error: unknown) => void) {
    this.#checked = checked;
    this.#source = source;
    this.#delays = delays;
    this.#fail = fail;
  }

  get inHand(): number {
    return this.#jobs.size;
  }

  /** How many of them wait for another attempt. */
  get delayed(): number {
    let count = 0;
    for (const { place } of this.#jobs) if (place === 'delayed') count++;
    return count;
  }

  /** Takes over an order. The promise is resolved when the order is finished. */
  take(taken: Taken<T>): Promise<void> {
    return new Promise((finish) => {
      const job = new Job(++this.#tickets, taken, finish);
      this.#jobs.add(job);
      if (this.#closing) this.#giveBack(job);
      else this.#begin(job);
    });
  }

  /** Returns undefined if a worker could take another order now, otherwise a promise: see `Limits.room`. */
  room(): Promise<void> | undefined {
    if (this.#hasRoom()) return undefined;
    return new Promise((resolve) => {
      this.#wakeSource = resolve;
    });
  }

  #hasRoom(): boolean {
    return this.#ready.first === undefined && this.seats.some(isFree);
  }

  #begin(job: Job<T>): void {
    const { by } = this.#checked;
    try {
      const key = by && keyText(by(job.taken.order));
      if (key !== undefined && !this.#lines.join(key, job)) {
        job.place = 'line';
        return;
      }
    } catch (error) {
      this.#bury(job, asError(error)); // a client may have sent an order that `by` fails for
      return;
    }
    this.#makeReady(job);
  }

  /** Lets an order go to a worker: to that of its key, if there is one. */
  #makeReady(job: Job<T>): void {
    job.place = 'ready';
    const seat = job.suspect ? job.seat : job.line?.seat;
    job.list = seat?.waiting ?? this.#ready;
    job.list.add(job);
    this.pump();
  }

  /** Sends orders to all places that are free. */
  pump(): void {
    for (const seat of this.seats) this.#fillFromWaiting(seat);
    for (let job = this.#ready.first; job !== undefined; job = this.#ready.first) {
      const seat = this.#freest();
      if (seat === undefined) break;
      this.#send(job, seat);
    }
    if (this.#wakeSource === undefined || !this.#hasRoom()) return;
    const wake = this.#wakeSource;
    this.#wakeSource = undefined;
    wake();
  }

  #fillFromWaiting(seat: Seat<T>): void {
    for (let job = seat.waiting.first; job !== undefined; job = seat.waiting.first) {
      if (!seat.hasPlace || (job.suspect && seat.out.size > 0)) return;
      seat.isAlone = job.suspect;
      this.#send(job, seat);
    }
  }

  /** Returns the worker with the fewest orders among those that may take any order. */
  #freest(): Seat<T> | undefined {
    let freest: Seat<T> | undefined;
    for (const seat of this.seats) {
      if (isFree(seat) && (freest === undefined || seat.out.size < freest.out.size)) freest = seat;
    }
    return freest;
  }

  #send(job: Job<T>, seat: Seat<T>): void {
    this.#leaveList(job);
    job.place = 'out';
    job.seat = seat;
    if (job.line !== undefined) job.line.seat = seat;
    try {
      seat.send(job);
    } catch (error) {
      seat.isAlone &&= !job.suspect;
      this.#bury(job, asError(error)); // `by` has changed the order
    }
  }

  /** Called with each report of a worker. */
  report(report: Report): void {
    const seat = this.seats[report.seat] as Seat<T>;
    const job = seat.out.get(report.ticket);
    if (job === undefined) return;
    seat.heard();
    if (report.event === 'decided') {
      job.decided = true;
      this.#settle(job, report.confirmed);
      return;
    }
    seat.out.delete(report.ticket);
    if (job.suspect) seat.isAlone = false;
    job.deliveries++;
    if (report.event === 'failed') {
      this.#failed(job, reportedError(report));
      return;
    }
    seat.handled++;
    this.#wasHandled(job, report.resolution as Resolution | '');
  }

  /** Called when a worker has ended. `unstarted`: the tickets of orders that no handler was given. */
  ended(seat: Seat<T>, unstarted: ReadonlySet<number>, error: Error): void {
    const jobs = [...seat.out.values()];
    seat.out.clear();
    for (let job = seat.waiting.first; job !== undefined; job = seat.waiting.first) {
      this.#leaveList(job);
      jobs.push(job);
    }
    for (const job of jobs) {
      if (job.place === 'done') continue; // the crew failed just now, and gave it back
      if (job.place === 'out' && !unstarted.has(job.ticket)) {
        job.deliveries++;
        job.suspect = true;
        if (this.#isDecided(job)) this.#wasHandled(job, '');
        else this.#failed(job, error);
        continue;
      }
      if (job.line !== undefined) job.line.seat = undefined; // any worker may have it
      if (this.#closing) this.#giveBack(job);
      else this.#makeReady(job);
    }
    this.pump();
  }

  /** Whether the handler had decided the order when its worker ended. The worker may not have reported it. */
  #isDecided(job: Job<T>): boolean {
    const { reservation } = job.taken;
    const { stock } = this.#source;
    if (job.decided || reservation === undefined || stock === undefined) return job.decided;
    try {
      const state = stock.find({ reservation })?.state;
      return state !== 'held' && state !== 'expired';
    } catch (error) {
      this.#fail(error); // the stock was disposed of
      return false;
    }
  }

  #wasHandled(job: Job<T>, resolution: Resolution | ''): void {
    if (!job.decided) this.#settle(job, true);
    if (resolution !== '') reportUnconfirmed(job.taken.order, job.taken.reservation, resolution);
    this.handled++;
    this.#finish(job);
  }

  #failed(job: Job<T>, error: Error): void {
    const { order, reservation } = job.taken;
    const { deliveries } = job;
    this.failures++;
    job.failures++;
    if (failures.hasSubscribers) failures.publish({ order, error, deliveries, reservation });
    if (job.decided) {
      this.handled++;
      this.#finish(job);
    } else if (deliveries > this.#checked.retriesMax) this.#bury(job, error);
    else if (this.#closing) this.#giveBack(job);
    else this.#delay(job, () => this.#makeReady(job));
  }

  #delay(job: Job<T>, then: () => void): void {
    job.place = 'delayed';
    this.#delays.add(backoffMs(this.#checked.backoff, job.failures), () => {
      if (job.place === 'delayed') then();
    });
    this.pump();
  }

  /** Offers the order to the dead letters until they take it. Then it is cancelled. */
  #bury(job: Job<T>, error: Error): void {
    const { order, reservation } = job.taken;
    const letter = { order, error, deliveries: job.deliveries, firstAt: job.firstAt, reservation };
    job.place = 'burying';
    this.#checked.bury(letter).then(
      () => {
        if (job.place !== 'burying') return;
        this.#settle(job, false);
        this.deadLettered++;
        if (deadLettered.hasSubscribers) deadLettered.publish(letter);
        this.#finish(job);
      },
      () => {
        if (job.place !== 'burying') return;
        this.deadLetterFailures++;
        job.failures++;
        if (this.#closing) this.#giveBack(job);
        else this.#delay(job, () => this.#bury(job, error));
      },
    );
    this.pump();
  }

  #leaveList(job: Job<T>): void {
    job.list?.delete(job);
    job.list = undefined;
  }

  #settle(job: Job<T>, confirm: boolean): void {
    try {
      job.taken.settle(confirm);
    } catch (error) {
      this.#fail(error); // the gate, or a part of it, was disposed of
    }
  }

  #finish(job: Job<T>): void {
    job.place = 'done';
    this.#jobs.delete(job);
    job.finish();
    const next = this.#lines.next(job);
    if (next === undefined) this.pump();
    else if (!this.#closing) this.#makeReady(next);
  }

  /** Begins the end: gives back all orders that are not with a worker or on their way to the dead letters. */
  close(): void {
    this.#closing = true;
    for (const job of this.#jobs) {
      if (job.place !== 'out' && job.place !== 'burying') this.#giveBack(job);
    }
    this.#wakeSource?.();
  }

  /** Gives back all orders in hand. No worker may have any. */
  giveBackAll(): void {
    for (const job of this.#jobs) this.#giveBack(job);
  }

  /** Leaves the order to the next consumer of the gate, or to the caller of `close`. */
  #giveBack(job: Job<T>): void {
    this.#unfinished.push(job);
    this.#leaveList(job);
    try {
      if (job.deliveries === job.taken.earlier) job.taken.putBack();
    } catch (error) {
      this.#fail(error);
    }
    job.place = 'done';
    this.#jobs.delete(job);
    job.finish();
  }

  /** The orders that were given back, in the order in which they were taken. */
  get unfinished(): Array<Unfinished<T>> {
    const jobs = this.#unfinished.toSorted((a, b) => a.ticket - b.ticket);
    return jobs.map(({ deliveries, taken: { order, reservation, stored } }) => {
      return { order, deliveries, reservation, stored };
    });
  }
}

/** Whether a worker may take any order: no order waits that must go to this worker. */
function isFree<T>(seat: Seat<T>): boolean {
  return seat.hasPlace && seat.waiting.first === undefined;
}
