import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import {
  DISPOSED,
  ENDED,
  failed,
  type NativeQueue,
  NO_RESOURCES,
  NOT_CONSUMER,
  PARKED,
  Weak,
} from '../binding/index.js';
import { onAbort, SluiceError } from '../input/index.js';
import type { Call } from './handlers.js';

/** After this many records or milliseconds without a pause, a loop lets its thread's timers and I/O run. */
const budgetPerTurn = 1024;
/** The same for visits, which are short. */
const visitsPerTurn = 4096;
export const turnMs = 4;
/**
 * Charged to the turn's budget when `take` returns nothing although records are there: it may have dropped this many,
 * or more.
 */
const emptyTake = 64;

/** A loop that consumes. */
export interface ConsumeLoop {
  readonly source: RecordSource;
  /** Makes the loop start no more handlers; absent if it runs none. */
  stop?: (reason: unknown) => void;
  /** Resolves when the loop has ended; absent if it runs no handlers. */
  handled?: Promise<void>;
  ended?: () => void;
  /** The object for which the loop consumes, if that is not the queue object. */
  readonly owner?: object | undefined;
  /** Called at the end of the loop, while it still has the lease. */
  readonly leaving?: (() => void) | undefined;
}

/** How a loop consumes for an object that has its own function to take records, as a gate does. */
export interface ConsumedBy<Item> {
  readonly owner: object;
  take(): Item[];
  handle(item: Item, call: Call): unknown;
  /** Called after each item, with the time. */
  between(now: number): void;
  timedOut(item: Item, error: SluiceError): void;
  /** Called once, when nothing more is handled and the lease is about to be given back. */
  leaving(): void;
}

/** Keeps the loops that wait for a record now, even if the program has dropped its references to them. */
const awaited = new Set<RecordSource>();

/**
 * Yields records to one consuming loop of this thread, and waits for the next record, the end of the queue, or an
 * abort.
 */
export class RecordSource {
  readonly #native: NativeQueue;
  #resolve: ((arrived: boolean) => void) | undefined;
  #ended = false;
  #left = false;
  #perTurn = budgetPerTurn;
  #budget = 0;
  #turnEnds = 0;

  constructor(native: NativeQueue) {
    this.#native = native;
  }

  /** Makes this queue object the consumer, or throws ERR_SLUICE_CONSUMER. An object runs at most one loop at a time. */
  begin(): void {
    if (this.#native.consumes() === NOT_CONSUMER) throw notConsumer();
    // Native code keeps this function alive while the loop has the lease. The function must not keep the loop alive,
    // because a program may abandon the loop between two records.
    const self = new Weak(this);
    this.#native.onArrival(() => {
      const source = self.deref();
      if (source !== undefined) source.#settle(true);
    });
  }

  /** Gives the lease back: another thread, or another loop of this thread, can consume from now on. */
  end(): void {
    this.#left = true;
    this.interrupt();
    this.#native.giveLease();
  }

  /** Ends the batches and the current wait, for example because a handler has failed. */
  interrupt(): void {
    this.#ended = true;
    this.#settle(false);
  }

  /**
   * Yields the batches that `take` returns, until the queue is closed and drained. When `take` returns an empty batch,
   * the source looks for records for `spin` CPU pauses, then waits without blocking the thread. After a bounded number
   * of records, or a few milliseconds, it lets the event loop turn.
   *
   * @throws the reason of `signal` when it aborts; nothing is taken after that.
   */
  async *batches<Batch extends { readonly length: number }>(
    take: () => Batch,
    signal: AbortSignal | undefined,
    spin: number,
  ): AsyncGenerator<Batch, void, void> {
    this.#beginTurn();
    while (!this.#ended) {
      signal?.throwIfAborted();
      const batch = take();
      if (batch.length > 0) {
        yield batch;
        this.#budget -= batch.length;
      } else if (!this.#sees(spin) && !(await this.#waited(signal))) {
        return;
      }
      if (this.#budget <= 0 || performance.now() >= this.#turnEnds) await this.#turn();
    }
  }

  /**
   * Calls `visitSome` until the queue is closed and drained, and waits, as `batches` does with `take`. `visitSome`
   * visits up to `max` records in their places, until the time `end` if it can, and returns how many.
   *
   * @throws what `visitSome` throws.
   */
  async visits(visitSome: (max: number, end: number) => number, spin: number): Promise<void> {
    await undefined; // the caller gets its promise before the first visit
    this.#perTurn = visitsPerTurn;
    this.#beginTurn();
    while (!this.#ended) {
      const visited = visitSome(this.#budget, this.#turnEnds);
      this.#budget -= visited;
      if (visited === 0 && !this.#sees(spin) && !(await this.#waited(undefined))) return;
      if (this.#budget <= 0 || performance.now() >= this.#turnEnds) await this.#turn();
    }
  }

  /**
   * Yields the items of each batch, in order, until interrupted. After each item it calls `between` with the time, and
   * lets the event loop turn if the time of this turn is over.
   */
  async *items<Item>(
    batches: AsyncIterable<readonly Item[]>,
    between: (now: number) => void,
  ): AsyncGenerator<Item, void, void> {
    for await (const batch of batches) {
      for (const item of batch) {
        if (this.#ended) return;
        yield item;
        const now = performance.now();
        between(now);
        if (now >= this.#turnEnds) await this.#turn();
      }
    }
  }

  /** Whether a record is seen within `spin` looks. */
  #sees(spin: number): boolean {
    return spin > 0 && this.#native.spin(spin) === 1;
  }

  /** Resolves to true when there may be something to take, or the signal has aborted; to false at the end. */
  async #waited(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#ended || signal?.aborted) return true; // a listener that `take` called has ended the loop
    const parked = this.#park();
    if (parked === ENDED) return false;
    if (parked !== PARKED) {
      // A record is there: it came just now, or `take` has dropped records and looked no further.
      this.#budget -= emptyTake;
      return true;
    }
    if (!(await this.#arrived(signal))) return false;
    this.#beginTurn();
    return true;
  }

  #beginTurn(): void {
    this.#budget = this.#perTurn;
    this.#turnEnds = performance.now() + turnMs;
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#beginTurn();
  }

  /** Returns PARKED if the loop must wait, ENDED if no more records will come; otherwise there is something to take. */
  #park(): number {
    const parked = this.#native.park();
    if (parked === NOT_CONSUMER) throw notConsumer();
    if (parked === NO_RESOURCES) throw failed('Queue: waiting for records', parked);
    return parked === DISPOSED ? ENDED : parked;
  }

  /**
   * Resolves to true when there may be something to take, or when `signal` aborts; to false when the loop was
   * interrupted.
   */
  async #arrived(signal: AbortSignal | undefined): Promise<boolean> {
    const forget = onAbort(signal, () => this.#settle(false));
    awaited.add(this);
    const arrived = await new Promise<boolean>((resolve) => {
      this.#resolve = resolve;
    });
    awaited.delete(this);
    forget();
    // Not after `end`: another loop may then have the lease, and may be waiting.
    if (!arrived && !this.#left) this.#native.unpark();
    // Without an arrival the wait was interrupted, or aborted, which the caller sees when it next checks the signal.
    return arrived || signal?.aborted === true;
  }

  #settle(arrived: boolean): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.(arrived);
  }
}

export function notConsumer(): SluiceError {
  return new SluiceError(
    'ERR_SLUICE_CONSUMER',
    'Queue: another thread, or another object of this thread, is the consumer; it must end or release its lease first',
  );
}
