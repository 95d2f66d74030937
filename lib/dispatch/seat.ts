import { performance } from 'node:perf_hooks';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { type Backoff, backoffMs } from '../backoff.js';
import { optionError, SluiceError } from '../input/index.js';
import { LinkedList } from '../linked-list.js';
import type { Queue } from '../queue/index.js';
import { threadFile } from '../thread-file.js';
import type { Delays } from './delays.js';
import { asError, type Envelope, type EnvelopeNames } from './envelope.js';
import type { Job } from './job.js';
import type { WorkerStats } from './stats.js';
import type { WorkerInput, WorkerMessage } from './worker.js';

/** How much later than `handlerTimeoutMs` a worker may report that a handler took too long. */
const reportGraceMs = 1_000;

/** What a seat reports to the crew. */
interface SeatEvents<T> {
  /** A worker has imported the handler, and takes orders. */
  up(seat: Seat<T>): void;
  /**
   * Reads what the workers have reported. The seat calls this before it decides by a report that is missing.
   */
  readReports(): void;
  /** The worker has ended. `unstarted`: the tickets of the orders in its queue, which no handler was given. */
  ended(seat: Seat<T>, unstarted: ReadonlySet<number>, error: Error): void;
}

export interface SeatParts<T> {
  readonly index: number;
  readonly queue: Queue<Envelope>;
  readonly names: EnvelopeNames;
  readonly input: Omit<WorkerInput, 'mustPin'>;
  readonly resourceLimits: ResourceLimits | undefined;
  readonly concurrency: number;
  readonly handlerTimeoutMs: number | undefined;
  readonly backoff: Backoff;
  readonly delays: Delays;
  readonly events: SeatEvents<T>;
}

/** The place of one worker in the crew, with the queue that it consumes. When the worker ends, another one takes it. */
export class Seat<T> {
  /** Resolves when the first worker is up; rejects if it ends before that. */
  readonly started: Promise<void>;
  /** Resolves when its last worker has ended, after end() or terminate(). */
  readonly over: Promise<void>;
  /** The orders that the worker has, by ticket, in the order in which they were sent. */
  readonly out: Map<number, Job<T>> = new Map<number, Job<T>>();
  /** Orders that must go to this worker, and wait for a place there. */
  readonly waiting: LinkedList<Job<T>> = new LinkedList<Job<T>>();
  state: WorkerStats['state'] = 'starting';
  /** The processor that the worker is bound to. */
  cpu: number | undefined;
  /** Whether the system can bind threads to processors; undefined as long as this is not known. */
  canPin: boolean | undefined;
  /** Orders that the worker's handler returned from. */
  handled = 0;
  deaths = 0;
  /** Whether the worker has an order that must have the worker to itself. */
  isAlone = false;
  readonly #parts: SeatParts<T>;
  readonly #places: number;
  #worker: Worker | undefined;
  #error: Error | undefined;
  /** How many workers in a row have ended without having handled an order. */
  #failures = 0;
  #handledBefore = 0;
  #ending = false;
  #isReplaced = false;
  /** When the worker reported last, or got an order while it had none. */
  #heardAt = 0;
  #isWatched = false;
  #settleStart: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #settleOver: (() => void) | undefined;

  constructor(parts: SeatParts<T>) {
    this.#parts = parts;
    this.#places = 2 * parts.concurrency;
    this.started = new Promise((resolve, reject) => {
      this.#settleStart = { resolve, reject };
    });
    this.over = new Promise((resolve) => {
      this.#settleOver = resolve;
    });
    this.#start();
  }

  get index(): number {
    return this.#parts.index;
  }

  /** Whether the worker can take another order, one that needs no worker to itself. */
  get hasPlace(): boolean {
    return this.state === 'up' && !this.isAlone && this.out.size < this.#places;
  }

  /** Sends an order to the worker, which must have a place. @throws the error of a field with a bad value. */
  send(job: Job<T>): void {
    const { queue, names } = this.#parts;
    const { order, reservation } = job.taken;
    const sent = queue.tryPush({
      ...order,
      [names.ticket]: job.ticket,
      [names.deliveries]: job.deliveries + 1,
      [names.reservation]: reservation ?? 0n,
    });
    if (!sent) throw new Error('dispatch: broken invariant: the queue of a worker has room for its places');
    if (this.out.size === 0) this.#heardAt = performance.now();
    this.out.set(job.ticket, job);
    this.#watch();
  }

  /** Called with each report of the worker. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  /** Lets the worker finish what it has, and end. */
  end(): void {
    this.#ending = true;
    if (this.#worker === undefined) this.#isOver();
    else this.#parts.queue.close();
  }

  /** Ends the worker at once, and starts another. */
  replace(): void {
    this.#isReplaced = true;
    this.#terminate();
  }

  #terminate(): void {
    // The promise of terminate() is resolved after the event 'exit', which says the same.
    this.#worker?.terminate().catch(() => {});
  }

  /** Ends the worker at once, and does not replace it. */
  endNow(): void {
    this.end();
    this.#terminate();
  }

  /** Frees the queue of the worker, which has ended. */
  dispose(): void {
    this.#parts.queue[Symbol.dispose]();
  }

  stats(): WorkerStats {
    const { state, handled, deaths, cpu } = this;
    const busyMs = this.#worker?.performance.eventLoopUtilization().active ?? 0;
    return { state, inHand: this.out.size, handled, deaths, busyMs, cpu };
  }

  #start(): void {
    this.state = 'starting';
    this.#error = undefined;
    const { input, resourceLimits, index } = this.#parts;
    const workerData: WorkerInput = { ...input, mustPin: this.#settleStart !== undefined };
    try {
      const options = { workerData, name: `sluice-dispatch-${index}` };
      const worker = new Worker(
        threadFile('dispatch', () => require.resolve('./worker.js')),
        resourceLimits === undefined ? options : { ...options, resourceLimits },
      );
      this.#worker = worker;
      worker.on('message', (message: WorkerMessage) => this.#received(message));
      worker.on('error', (error) => {
        this.#error = asError(error);
      });
      worker.on('exit', (code) => this.#exited(code));
    } catch (error) {
      const isData = error instanceof Error && error.name === 'DataCloneError';
      this.#error = isData
        ? optionError('dispatch: data', 'a value that structured clone can copy', input.data, true)
        : asError(error); // no memory for a thread
      this.#parts.delays.add(0, () => this.#exited(1));
    }
  }

  #received(message: WorkerMessage): void {
    if (message?.sluice === 'up') {
      this.canPin = message.pinned !== undefined;
      this.cpu = message.pinned === true ? this.#parts.input.cpu : undefined;
      this.state = 'up';
      this.#settleStart?.resolve();
      this.#settleStart = undefined;
      this.#parts.events.up(this);
    } else if (message?.sluice === 'done') {
      this.#terminate(); // a timer or a socket of the handler's module would keep the thread alive
    }
  }

  #exited(code: number): void {
    const { queue, names, events } = this.#parts;
    this.#worker = undefined;
    const error = this.#error ?? ended(`a worker ended with exit code ${code}`);
    events.readReports();
    const unstarted = new Set<number>();
    for (const left of queue.popMany(this.#places)) unstarted.add(left[names.ticket] as number);
    queue.releaseLease();
    this.isAlone = false;
    this.cpu = undefined;
    if (!this.#ending) this.deaths++;
    this.state = this.#ending ? 'ended' : 'down';
    events.ended(this, unstarted, error);
    if (this.#settleStart !== undefined && !this.#isReplaced) {
      if (this.#ending) this.#settleStart.resolve();
      else this.#settleStart.reject(error);
      this.#settleStart = undefined;
      this.#ending = true; // the crew ends with this error
    }
    if (this.#ending) this.#isOver();
    else this.#restart();
  }

  #restart(): void {
    if (this.#isReplaced) this.#failures = 0;
    else this.#failures = this.handled === this.#handledBefore ? this.#failures + 1 : 1;
    this.#isReplaced = false;
    this.#handledBefore = this.handled;
    const { backoff, delays } = this.#parts;
    const ms = this.#failures < 2 ? 0 : backoffMs(backoff, this.#failures - 1);
    delays.add(ms, () => {
      if (!this.#ending) this.#start();
    });
  }

  #isOver(): void {
    this.state = 'ended';
    this.#settleOver?.();
  }

  /**
   * Replaces the worker if it has orders and reports nothing for longer than a handler may take: a handler blocks its
   * thread, so that the worker cannot even report that the time is over.
   */
  #watch(): void {
    const { handlerTimeoutMs, delays, events } = this.#parts;
    if (this.#isWatched || handlerTimeoutMs === undefined) return;
    this.#isWatched = true;
    const check = (): void => {
      events.readReports(); // this thread may have been busy itself
      const left = this.#heardAt + handlerTimeoutMs + reportGraceMs - performance.now();
      if (this.out.size === 0) this.#isWatched = false;
      else if (left > 0) delays.add(left, check);
      else {
        this.#isWatched = false;
        this.#error ??= ended(`a handler blocked its worker for more than ${handlerTimeoutMs} ms`);
        this.#terminate();
      }
    };
    delays.add(handlerTimeoutMs + reportGraceMs, check);
  }
}

function ended(message: string): SluiceError {
  return new SluiceError('ERR_SLUICE_WORKER', `dispatch: ${message}`);
}
