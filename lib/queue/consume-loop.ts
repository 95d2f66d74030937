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
} from '../binding/index.js';
import { onAbort, SluiceError } from '../input/index.js';

/** Records, and milliseconds, after which a loop without a pause gives timers and I/O of its thread their turn. */
const budgetPerTurn = 1024;
const turnMs = 4;
/** What a `take` counts for that brings nothing although something is there: it may have dropped so many. */
const emptyTake = 64;

/** What one consuming loop of this thread waits on: the next record, the end of the queue, or an abort. */
export class Arrival {
  readonly #native: NativeQueue;
  #resolve: ((arrived: boolean) => void) | undefined;
  #ended = false;
  #left = false;
  #budget = 0;
  #turnEnds = 0;

  constructor(native: NativeQueue) {
    this.#native = native;
  }

  /** Becomes the consumer, or throws ERR_SLUICE_CONSUMER. At most one loop at a time in an object. */
  begin(): void {
    if (this.#native.consumes() === NOT_CONSUMER) throw notConsumer();
    this.#native.onArrival(() => this.#settle(true));
  }

  /** Gives the lease back: another thread, or another loop of this one, can consume from now on. */
  end(): void {
    this.#left = true;
    this.interrupt();
    this.#native.giveLease();
  }

  /** Ends the batches, and a wait that is going on: the queue was disposed of, or a handler has failed. */
  interrupt(): void {
    this.#ended = true;
    this.#settle(false);
  }

  /**
   * The batches that `take` yields (empty: there is nothing now), until the queue is closed and drained. Waits for
   * more without holding the thread, but for `spin` CPU pauses; after a bounded number of records, or a few
   * milliseconds, it lets the event loop turn.
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
      } else if (spin === 0 || this.#native.spin(spin) !== 1) {
        if (this.#ended || signal?.aborted) continue; // by a listener that `take` called
        const parked = this.#park();
        if (parked === ENDED) return;
        // Something is there: it came just now, or `take` has dropped records and not looked further.
        if (parked !== PARKED) this.#budget -= emptyTake;
        else if (!(await this.#arrived(signal))) return;
        else this.#beginTurn();
      }
      if (this.#budget <= 0 || performance.now() >= this.#turnEnds) await this.#turn();
    }
  }

  /**
   * The items of each batch, in order, until interrupted, with a turn of the event loop between two when it is time.
   * `between` is called after each, with the time.
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

  #beginTurn(): void {
    this.#budget = budgetPerTurn;
    this.#turnEnds = performance.now() + turnMs;
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#beginTurn();
  }

  /** PARKED: it waits. ENDED: there will be nothing more. Else there is something to take. */
  #park(): number {
    const parked = this.#native.park();
    if (parked === NOT_CONSUMER) throw notConsumer();
    if (parked === NO_RESOURCES) throw failed('Queue: waiting for records', parked);
    return parked === DISPOSED ? ENDED : parked;
  }

  /** True when there may be something to take, false when there will not be. */
  async #arrived(signal: AbortSignal | undefined): Promise<boolean> {
    const forget = onAbort(signal, () => this.#settle(false));
    const arrived = await new Promise<boolean>((resolve) => {
      this.#resolve = resolve;
    });
    forget();
    // The lease may be another loop's by now, and the wait, too.
    if (!arrived && !this.#left) this.#native.unpark();
    // Not arrived: aborted, which the caller's next look at the signal reports, or interrupted.
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
