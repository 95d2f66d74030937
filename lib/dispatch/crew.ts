import { SluiceError } from '../input/index.js';
import { type Limits, Queue } from '../queue/index.js';
import { describeRecord } from '../record/index.js';
import { Delays } from './delays.js';
import {
  type Envelope,
  type EnvelopeNames,
  envelopeNames,
  envelopeRecord,
  type Report,
  reportRecord,
} from './envelope.js';
import { type Checked, type CloseOptions, checkedClose } from './options.js';
import { Router, type Unfinished } from './router.js';
import { Seat } from './seat.js';
import type { Source } from './source.js';
import type { CrewStats } from './stats.js';

/** The most orders taken from a gate at once. */
const batchMax = 32;
/** How long workers may take for `teardown` when the source has ended, in milliseconds. */
const teardownMs = 10_000;

/** What became of a crew: the answer of `Crew.close`. */
export interface Closed<T> {
  /**
   * The orders that the crew had taken and did not finish, in the order in which it took them. Those of a gate are
   * still in the gate: its next consumer gets them. Those of a queue are nowhere else, except those with `stored`.
   */
  readonly unfinished: ReadonlyArray<Unfinished<T>>;
}

/** The workers that `dispatch` has started, and the orders that they have in hand. */
export class Crew<T> implements AsyncDisposable {
  /** Resolves when all workers have imported the handler, and the first orders are taken. Rejects as `done` does. */
  readonly ready: Promise<void>;
  /**
   * Resolves when the crew has ended: after `close`, or when the source is closed and drained, all orders are finished
   * and the workers have ended. Rejects with the error of a worker that ended before it took orders for the first time
   * (the handler cannot be imported, or its `setup` failed), and as `Gate.consume` does: with SluiceError
   * `ERR_SLUICE_CONSUMER` or `ERR_SLUICE_REENTRANT` if the source has another consumer, with `ERR_SLUICE_DISPOSED` if
   * it is disposed of while orders are in hand.
   */
  readonly done: Promise<void>;
  readonly #checked: Checked<T>;
  readonly #source: Source<T>;
  readonly #delays: Delays = new Delays();
  readonly #router: Router<T>;
  readonly #reports: Queue<Report>;
  readonly #seats: ReadonlyArray<Seat<T>>;
  readonly #stop: AbortController = new AbortController();
  #failure: { readonly error: unknown } | undefined;
  #closed: Promise<Closed<T>> | undefined;

  /** @internal */
  constructor(checked: Checked<T>, source: Source<T>) {
    this.#checked = checked;
    this.#source = source;
    this.#router = new Router(checked, source, this.#delays, (error) => this.#fail(error));
    this.#reports = Queue.create(reportRecord, {
      capacity: 2 * checked.workers * 2 * checked.concurrency,
    });
    const names = envelopeNames(source.record);
    const sent = envelopeRecord(source.record, names);
    // All memory is taken before the first thread starts.
    const queues = Array.from({ length: checked.workers }, () =>
      Queue.create(sent, { capacity: 2 * checked.concurrency }),
    );
    this.#seats = queues.map((queue, index) => this.#seat(index, queue, names));
    this.#router.seats = this.#seats;
    this.ready = Promise.all(this.#seats.map((seat) => seat.started)).then(() => {});
    this.ready.catch(() => {}); // `done` rejects with the same error
    this.done = this.#run();
  }

  /**
   * Ends the crew: it takes no more orders, and waits for those that the workers have, and for those on their way to
   * the dead letters. Orders that wait for a worker or for another attempt are not finished; nor are those that fail
   * meanwhile. When `timeoutMs` are over, it ends the workers at once; what they have then is not finished, either.
   *
   * Nothing is lost: the unfinished orders are in the answer. Those of a gate are also left for its next consumer, in
   * their order, and count as delivered once if a handler was given them. Those of a queue are nowhere else, so push
   * them again, or keep them; but those with `stored` are in the store of its overflow, which gives them to the next
   * process. An order whose dead letter was on its way when the time was over may be in both.
   *
   * @param options `timeoutMs`: how long to wait, in milliseconds. Default: 10,000.
   * @returns The orders that were not finished. All calls get the same answer.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * const { unfinished } = await crew.close({ timeoutMs: 5_000 });
   */
  async close(options?: CloseOptions): Promise<Closed<T>> {
    const timeoutMs = checkedClose(options);
    this.#closed ??= this.#close(timeoutMs);
    return await this.#closed;
  }

  /**
   * Ends one worker at once, wherever it is, and starts another in its place: for example because it has grown, or is
   * stuck. Orders that its handlers were given are handed out again, with one more delivery.
   *
   * @param index Which worker: from 0, below the number of workers.
   * @returns Whether there was such a worker.
   * @throws Nothing.
   * @example
   * crew.replace(0);
   */
  replace(index: number): boolean {
    const seat = this.#seats[index];
    if (seat === undefined || seat.state === 'ended') return false;
    seat.replace();
    return true;
  }

  /**
   * Returns counters since the crew's creation, and what it has in hand now.
   *
   * @returns The figures: see `CrewStats`.
   * @throws Nothing.
   * @example
   * const { inHand, delayed, deadLettered } = crew.stats();
   */
  stats(): CrewStats {
    const { inHand, handled, failures, deadLettered, deadLetterFailures } = this.#router;
    const workers = this.#seats.map((seat) => seat.stats());
    const delayed = this.#router.delayed;
    const deaths = workers.reduce((sum, worker) => sum + worker.deaths, 0);
    const canPin = this.#seats.some((seat) => seat.canPin);
    const pinning = this.#checked.cpus.length === 0 ? 'off' : canPin ? 'on' : 'unsupported';
    return { workers, inHand, delayed, handled, failures, deadLettered, deadLetterFailures, deaths, pinning };
  }

  /** Closes the crew: see `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #seat(index: number, queue: Queue<Envelope>, names: EnvelopeNames): Seat<T> {
    const { record, stock } = this.#source;
    const { concurrency, handlerTimeoutMs, handler, cpus, data, resourceLimits, backoff } = this.#checked;
    const cpu = cpus[index % cpus.length];
    const input = {
      ...{ seat: index, queue: queue.handle, reports: this.#reports.handle, stock: stock?.handle, names },
      ...{ order: describeRecord(record), handler, concurrency, handlerTimeoutMs, cpu, data },
    };
    const events = {
      up: () => this.#router.pump(),
      readReports: () => this.#readReports(),
      ended: (...what: Parameters<Router<T>['ended']>) => this.#router.ended(...what),
    };
    const limits = { concurrency, handlerTimeoutMs, backoff, resourceLimits };
    return new Seat({ index, queue, names, input, ...limits, delays: this.#delays, events });
  }

  async #run(): Promise<void> {
    const reported = this.#reports.consume((reports) => {
      for (const report of reports) this.#router.report(report);
    });
    reported.catch((error) => this.#fail(error));
    try {
      await this.ready;
      await this.#consume();
    } catch (error) {
      if (error !== this.#stop.signal.reason) this.#fail(error);
    }
    await this.#endWorkers();
    this.#reports.close();
    await reported.catch(() => {}); // the failure is known
    this.#reports[Symbol.dispose]();
    for (const seat of this.#seats) seat.dispose();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #consume(): Promise<void> {
    const { maxInHand, concurrency, workers } = this.#checked;
    const room = (): Promise<void> | undefined => this.#router.room();
    const limits: Limits = { concurrency: maxInHand, handlerTimeoutMs: undefined, graceMs: Infinity, room };
    const batchSize = Math.min(batchMax, maxInHand, workers * concurrency);
    const { signal } = this.#stop;
    signal.throwIfAborted();
    await this.#source.consume((taken) => this.#router.take(taken), limits, batchSize, signal);
  }

  /** Lets the workers end: they have no orders any more. After `teardownMs` it terminates them. */
  async #endWorkers(): Promise<void> {
    for (const seat of this.#seats) seat.end();
    const late = new Delays();
    late.add(teardownMs, () => this.#endWorkersNow());
    await this.#over();
    late.clear();
    this.#delays.clear();
  }

  #endWorkersNow(): void {
    for (const seat of this.#seats) seat.endNow();
  }

  async #over(): Promise<void> {
    await Promise.all(this.#seats.map((seat) => seat.over));
  }

  async #close(timeoutMs: number): Promise<Closed<T>> {
    this.#router.close();
    this.#stop.abort(new SluiceError('ERR_SLUICE_CLOSED', 'dispatch: the crew was closed'));
    const deadline = new Delays();
    deadline.add(timeoutMs, () => {
      this.#end().catch(() => {}); // it does not reject
    });
    await this.done.catch(() => {}); // the program gets the failure by `done`
    deadline.clear();
    return { unfinished: this.#router.unfinished };
  }

  /** Ends the workers at once, and gives back what they had in hand. */
  async #end(): Promise<void> {
    this.#endWorkersNow();
    await this.#over();
    this.#router.giveBackAll();
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#router.close();
    this.#stop.abort(error);
    this.#end().catch(() => {}); // it does not reject
  }

  #readReports(): void {
    for (let reports = this.#reports.popMany(64); reports.length > 0; reports = this.#reports.popMany(64)) {
      for (const report of reports) this.#router.report(report);
    }
  }
}
