import { channel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import {
  arrays,
  checkedAnswer,
  type NativeGate,
  noEntry,
  resolveResults,
  stagedRecords,
} from '../binding/index.js';
import { errorText, Options, optionError, type SluiceError } from '../input/index.js';
import {
  type Call,
  type ConsumedBy,
  checkedLimits,
  type Limits,
  type OverflowLayer,
  type QueueInside,
} from '../queue/index.js';
import { type Resolution, resolutionName } from '../stock/index.js';
import { Hold } from './hold.js';
import { handled } from './notices.js';
import type { GateConsumeOptions } from './options.js';
import { halves, whatOrPart, words } from './staging.js';

/**
 * Publishes each order whose handler failed: `{ order, error, reservation }`. The reservation is cancelled, unless the
 * handler had decided it before.
 */
const failures = channel('sluice:gate:handler-failed');

/** Publishes each order that was handled but could not be confirmed: `{ order, reservation, resolution }`. */
const unconfirmed = channel('sluice:gate:not-confirmed');

const timerMsMax = 2 ** 31 - 1;

/** Publishes an order that was handled, unless `resolution`, the answer to confirm(), says that it is sold. */
export function reportUnconfirmed(
  order: unknown,
  reservation: bigint | undefined,
  resolution: Resolution,
): void {
  if (reservation === undefined) return; // no stock, or pushed past the gate
  // The handler may have confirmed the reservation itself, for example by `stock.confirm`.
  if (resolution === 'confirmed' || resolution === 'already-confirmed') return;
  if (unconfirmed.hasSubscribers) unconfirmed.publish({ order, reservation, resolution });
}

type Layer = Pick<OverflowLayer<never>, 'earlier'> | undefined;

/** An order in hand. */
interface Taken<T> {
  readonly order: T;
  readonly hold: Hold;
}

/** The consumer's half of a gate object: hands its orders to handlers, decides them, and renews their holds. */
export class OrderLoop<T> {
  readonly #consumer: QueueInside<T>['consumer'];
  readonly #native: NativeGate;
  readonly #numbers: Float64Array;
  readonly #bigints: BigUint64Array;
  readonly #halves: Uint32Array;
  /** False with a manual clock: then no timer renews holds. */
  readonly #renewsByItself: boolean;
  /** The layer behind the queue's ring, if there is one in this thread. */
  readonly #layer: Layer;
  #renewal: NodeJS.Timeout | undefined;
  /** The time, by `performance.now()`, by which the holds in hand must be renewed; Infinity if none must. */
  #renewAt = Infinity;
  /** The orders that the last #take() returned. Handlers were given the first `#started` of them. */
  #batch: Array<Taken<T>> = [];
  #started = 0;
  #hasWarned = false;
  /**
   * How many orders native `take` has returned that are only in the staging buffer, because #take() has not finished.
   * #leaving() puts them back and sets -1, so that #take() returns none.
   */
  #unbatched = 0;
  readonly #resolve = (
    confirm: boolean,
    entry: number | undefined,
    reservation: bigint | undefined,
    quantity: number,
  ): Resolution => {
    this.#bigints[words.reservation] = reservation ?? 0n;
    const answer = this.#native.resolve(confirm ? 1 : 0, entry ?? noEntry, quantity);
    const result = checkedAnswer(whatOrPart, answer);
    if (result === resolveResults['bad-quantity']) {
      const expected = 'at most what the reservation holds, and an order of one item';
      throw optionError('Hold.confirm: quantity', expected, quantity, false);
    }
    return resolutionName(result, confirm ? 'confirmed' : 'cancelled');
  };

  constructor(
    consumer: QueueInside<T>['consumer'],
    gate: NativeGate,
    staging: ArrayBuffer,
    renewsByItself: boolean,
    layer: Layer,
  ) {
    this.#consumer = consumer;
    this.#native = gate;
    this.#numbers = new arrays.Float64Array(staging);
    this.#bigints = new arrays.BigUint64Array(staging);
    this.#halves = new arrays.Uint32Array(staging);
    this.#renewsByItself = renewsByItself;
    this.#layer = layer;
  }

  async consume(
    handler: (order: T, hold: Hold) => unknown,
    options: GateConsumeOptions | undefined,
  ): Promise<void> {
    if (typeof handler !== 'function')
      throw optionError('Gate.consume: handler', 'a function', handler, true);
    const known = ['batchSize', 'concurrency', 'handlerTimeoutMs', 'graceMs', 'signal'];
    const given = new Options('Gate.consume', options, known);
    const batchSize = given.integer('batchSize', 1, stagedRecords, 32);
    const limits = checkedLimits(given, given.integer('concurrency', 1, this.#native.maxInHand, 1));
    const signal = given.signal();
    await this.#consume(batchSize, limits, signal, {
      handle: (taken, call) => this.#handle(handler, taken, call),
      timedOut: ({ order, hold }, error) => this.#failed(order, hold, error),
    });
  }

  /**
   * Consumes for another module of lib/, which decides each order by its hold before the promise of `handle` is
   * resolved, or leaves it for the next consumer.
   */
  async consumeBy(
    handle: (order: T, hold: Hold) => Promise<void>,
    batchSize: number,
    limits: Limits,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#consume(batchSize, limits, signal, {
      handle: ({ order, hold }, call) => {
        hold.begin(call);
        return handle(order, hold);
      },
      timedOut: () => {}, // the limits have no time
    });
  }

  /** Whether the store behind the queue's ring has an order that is not decided. */
  isStored(reservation: bigint | undefined): boolean {
    return reservation !== undefined && this.#layer?.earlier(reservation) !== undefined;
  }

  /** Puts back an order that no handler was given: it does not count as delivered. */
  putBack(hold: Hold): void {
    hold.putBack((entry) => this.#native.putBack(entry));
  }

  async #consume(
    batchSize: number,
    limits: Limits,
    signal: AbortSignal | undefined,
    { handle, timedOut }: Pick<ConsumedBy<Taken<T>>, 'handle' | 'timedOut'>,
  ): Promise<void> {
    let begins = true;
    const by = {
      owner: this,
      take: (): Array<Taken<T>> => {
        this.#batch = this.#take(batchSize, begins);
        this.#started = 0;
        begins = false;
        return this.#batch;
      },
      handle: (taken: Taken<T>, call: Call): unknown => {
        // The loop was stopped after it had yielded the order: #leaving() puts the order back.
        if (call.isStopped) return undefined;
        this.#started++;
        return handle(taken, call);
      },
      between: (now: number): void => {
        if (now >= this.#renewAt) this.#renew();
      },
      timedOut,
      leaving: (): void => this.#leaving(),
    };
    await this.#consumer.consumeBy(by, limits, signal);
  }

  async #handle(
    handler: (order: T, hold: Hold) => unknown,
    { order, hold }: Taken<T>,
    call: Call,
  ): Promise<void> {
    hold.begin(call);
    try {
      await handled(handler, order, hold, 'gate');
    } catch (error) {
      if (!call.isOver) this.#failed(order, hold, error);
      return;
    }
    if (hold.decided || call.isOver) return;
    const resolution = hold.confirm();
    reportUnconfirmed(order, hold.reservation, resolution);
  }

  #failed(order: T, hold: Hold, error: unknown): void {
    const { reservation } = hold;
    if (!hold.decided) {
      hold.cancel();
      hold.expire();
    }
    if (failures.hasSubscribers) failures.publish({ order, error, reservation });
    else this.#warn(error);
  }

  /** Warns of the first failure that has no subscriber: a fault of the handler would cancel each order silently. */
  #warn(error: unknown): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    process.emitWarning(
      `gate.consume: a handler failed, which cancels its order: ${errorText(error)}. The diagnostics channel ` +
        'sluice:gate:handler-failed has each failure; with a subscriber there is no warning.',
      { type: 'SluiceWarning', code: 'SLUICE_GATE_HANDLER' },
    );
  }

  /** Ends the consumption of this gate object, if it consumes, and frees the queue for another consumer at once. */
  leave(reason: SluiceError): void {
    this.#consumer.freeVisited(); // the program has taken the orders that it visited in a drain()
    this.#consumer.leave(reason, this);
  }

  #take(max: number, begins: boolean): Array<Taken<T>> {
    const take = (): number => {
      this.#unbatched = this.#native.take(max, begins ? 1 : 0);
      return this.#unbatched;
    };
    const { drops } = this.#consumer;
    const count = drops === undefined ? take() : drops.reporting(take, true);
    // A listener for dropped records has disposed of the gate meanwhile: #leaving() has put the orders back.
    if (this.#unbatched !== count) return [];
    this.#unbatched = 0;
    checkedAnswer(whatOrPart, count);
    const renewInMs = this.#numbers[words.renewInMs] as number;
    // Native `take` has copied the records into the staging of the queue object; taken() decodes them.
    const batch = this.#consumer.taken(count).map((order, i) => {
      const at = words.taken + words.each * i;
      const reservation = this.#bigints[at] as bigint;
      const entry = this.#entryAt(i);
      const deliveries = this.#halves[halves.taken + halves.each * i + halves.deliveries] as number;
      const earlier = this.#layer?.earlier(reservation) ?? 0;
      const id = reservation === 0n ? undefined : reservation;
      const hold = new Hold(id, deliveries + earlier, entry, this.#resolve);
      return { order, hold };
    });
    if (renewInMs === 0) this.#renew();
    else if (renewInMs > 0) this.#renewIn(renewInMs);
    return batch;
  }

  /** Returns the index, in the gate's table of orders in flight, of the i-th order that was taken just now. */
  #entryAt(i: number): number {
    return this.#halves[halves.taken + halves.each * i + halves.entry] as number;
  }

  /**
   * Puts back the orders that no handler was given. They do not count as delivered, and the next consumer gets them in
   * order.
   */
  #leaving(): void {
    for (const { hold } of this.#batch.slice(this.#started)) this.putBack(hold);
    this.#batch = [];
    for (let i = 0; i < this.#unbatched; i++) this.#native.putBack(this.#entryAt(i));
    this.#unbatched = -1;
    this.#renewIn(Infinity);
  }

  /** Renews the holds in hand. The loop calls this too, because a timer does not run while handlers compute. */
  #renew(): void {
    if (!this.#renewsByItself) return;
    const next = this.#native.renew();
    this.#renewIn(next < 0 ? Infinity : next);
  }

  /** Sets the timer to renew in `ms` milliseconds, in place of the time set before. Infinity: sets no timer. */
  #renewIn(ms: number): void {
    clearTimeout(this.#renewal);
    this.#renewal = undefined;
    this.#renewAt = Infinity;
    if (ms === Infinity || !this.#renewsByItself) return;
    this.#renewAt = performance.now() + ms;
    this.#renewal = setTimeout(() => this.#renew(), Math.min(ms, timerMsMax)).unref();
  }
}
