import { performance } from 'node:perf_hooks';
import {
  arrays,
  DISPOSED,
  disposed,
  ENDED,
  failed,
  type NativeQueue,
  NOT_CONSUMER,
  overflows,
  queueLimits,
  queueStaging,
  shownAndGone,
  stagedRecords,
} from '../binding/index.js';
import { isInteger, Options, optionError, SluiceError } from '../input/index.js';
import { type Codec, codecOf, type RecordType, type RecordView } from '../record/index.js';
import { type ConsumedBy, type ConsumeLoop, notConsumer, RecordSource } from './consume-loop.js';
import type { Events } from './events.js';
import { checkedLimits, fail, type HandlerContext, Handlers, type Limits } from './handlers.js';
import { handedBy, type OverflowLayer } from './layer.js';
import { type ConsumeOptions, checkTimeout, drainError } from './options.js';
import { sliceMs } from './producer.js';

const batchMax = 65_536;
/** Offsets in the staging buffer, in words of 64 bits. */
const words = { dropped: queueStaging.dropped / 8, reasons: queueStaging.reasons / 8 };

/** The consumer's half of a queue object. Its methods are documented on `Queue`. */
export class Consumer<T> {
  readonly #native: NativeQueue;
  /** The hot functions in fields of their own: the native object has too many functions for V8 to find these fast. */
  readonly #takeNative: NativeQueue['take'];
  readonly #takeOneNative: NativeQueue['takeOne'];
  readonly #nextNative: NativeQueue['next'];
  readonly #out: Codec<T>;
  readonly #dropped: Codec<T>;
  readonly #words: Float64Array;
  readonly #bytes: number;
  readonly #events: Events<T>;
  readonly #drops: boolean;
  /** Whether producers drop records, too: then no record stays in the queue while it is visited. */
  readonly #overwrites: boolean;
  /** At least as many records as the queue can hold: with 'drop-oldest', a lane holds up to twice its capacity. */
  readonly #places: number;
  /** How long a record that was shown may wait for its visit, in milliseconds, before its deadline is checked again. */
  readonly #freshMs: number;
  #wantsDropped = false;
  /** True while a visit of drain(), or a listener, runs. */
  #draining = false;
  /** The loop that consumes. */
  #loop: ConsumeLoop | undefined;
  /** How many of the records that drain() is visiting leave the queue with the next native call. */
  #visited = 0;
  /** True if drain() is visiting a single record, which has left the queue already. */
  #gone = false;
  #disposed = false;

  constructor(
    native: NativeQueue,
    record: RecordType<T>,
    staging: { out: ArrayBuffer; dropped: ArrayBuffer; words: ArrayBuffer },
    events: Events<T>,
  ) {
    this.#native = native;
    this.#takeNative = native.take;
    this.#takeOneNative = native.takeOne;
    this.#nextNative = native.next;
    this.#out = codecOf(record, staging.out);
    this.#dropped = codecOf(record, staging.dropped);
    this.#words = new arrays.Float64Array(staging.words);
    this.#bytes = record.bytes;
    this.#events = events;
    this.#drops = native.drops;
    this.#overwrites = native.overflow === overflows.overwrite;
    this.#places = 2 * native.capacity * native.lanes;
    this.#freshMs = !native.expires ? Infinity : native.manualClock ? -1 : 0.1;
  }

  tryPop(): T | undefined {
    this.#notDraining();
    return this.#takeOne() ? this.#out.decode(0) : undefined;
  }

  popMany(max: number): T[] {
    if (!(isInteger(max) && max >= 1 && max <= batchMax)) {
      throw optionError(
        'Queue.popMany: max',
        `a whole number from 1 to ${batchMax}`,
        max,
        typeof max !== 'number',
      );
    }
    this.#notDraining();
    return this.#pop(max);
  }

  popSync(timeoutMs: number): T | undefined {
    checkTimeout('Queue.popSync', timeoutMs);
    if (this.#isBusy) throw this.#reentrant('Queue.popSync');
    let deadline: number | undefined; // set when the queue is first empty: no clock is read before
    for (;;) {
      if (this.#takeOne()) return this.#out.decode(0);
      const now = performance.now();
      deadline ??= now + timeoutMs;
      const left = deadline - now;
      if (left <= 0) return undefined;
      const state = this.#checked(this.#native.awaitRecord(Math.min(sliceMs, Math.ceil(left))));
      if (state === ENDED) return undefined;
    }
  }

  drain(visit: (record: RecordView<T>) => void, max: number): number {
    if (typeof visit !== 'function' || !isInteger(max) || max < 0) throw drainError(visit, max);
    this.#notDraining();
    const view = this.#out.view();
    const loop = this.#loop;
    let visited = 0;
    this.#draining = true;
    try {
      for (;;) {
        const shown = this.#showNext(max - visited);
        // A listener for dropped records has disposed of the queue: the next consumer gets the records shown.
        if (this.#disposed && !this.#gone) throw disposed('Queue');
        // A loop that has ended meanwhile has given the lease back: the next consumer gets the records in the queue.
        if (shown === 0 || (!this.#gone && this.#loop !== loop)) return visited;
        visited += this.#visitShown(visit, view, shown, loop);
        if (this.#loop !== loop || (this.#gone && visited === max)) return visited;
      }
    } finally {
      this.#draining = false;
      this.freeVisited();
    }
  }

  /**
   * Frees the visited records, and shows up to `left` records for the next visits. Returns how many, and sets `#gone`.
   */
  #showNext(left: number): number {
    const visited = this.#visited;
    this.#visited = 0;
    // In a queue that overwrites, and for a single last record, the call that shows the record also removes it: one
    // call instead of two.
    const gone = left > 0 && (this.#overwrites || (left === 1 && visited === 0));
    this.#gone = gone;
    if (gone) return this.#takeOne() ? 1 : 0;
    return this.#showSome(visited, Math.min(stagedRecords, left));
  }

  #showSome(visited: number, max: number): number {
    const shown = this.#next(visited, max);
    this.#gone = shown === shownAndGone;
    return this.#gone ? 1 : shown;
  }

  /** Visits the records shown, as long as they are the next records in the queue. Returns how many it visited. */
  #visitShown(
    visit: (record: RecordView<T>) => void,
    view: RecordView<T>,
    shown: number,
    loop: ConsumeLoop | undefined,
  ): number {
    const mayExpire = this.#freshMs < Infinity;
    const shownAt = mayExpire ? performance.now() : 0;
    for (let seen = 1; ; seen++) {
      this.#out.move((seen - 1) * this.#bytes);
      if (!this.#gone) this.#visited = seen;
      visit(view);
      if (this.#disposed) throw disposed('Queue');
      if (seen === shown || this.#loop !== loop) return seen;
      // The visitor has called a method of this queue, which has freed the visited records. Other records may follow
      // them by now, so the next records are shown again.
      if (this.#visited !== seen) return seen;
      // The visit took so long that the time of the next records may have run out: they are shown again.
      if (mayExpire && this.#isStale(shownAt)) return seen;
    }
  }

  #isStale(shownAt: number): boolean {
    return performance.now() - shownAt > this.#freshMs;
  }

  iterate(): AsyncGenerator<T, void, void> {
    const progress: { loop?: ConsumeLoop | undefined } = {};
    const records = this.#records(progress);
    // A generator that waits for a record would end only after that record had come, and would lose it.
    const end = records.return.bind(records);
    records.return = (value) => {
      progress.loop?.source.interrupt();
      return end(value);
    };
    return records;
  }

  async *#records(progress: { loop?: ConsumeLoop | undefined }): AsyncGenerator<T, void, void> {
    const loop = this.#begin();
    progress.loop = loop;
    try {
      for await (const [value] of loop.source.batches(() => this.#popSome(1), undefined, 0)) yield value as T;
    } finally {
      progress.loop = undefined;
      this.#end(loop);
    }
  }

  async consume(
    handler: (batch: T[], context: HandlerContext) => unknown,
    options: ConsumeOptions | undefined,
    layer: OverflowLayer<T> | undefined,
  ): Promise<void> {
    if (typeof handler !== 'function')
      throw optionError('Queue.consume: handler', 'a function', handler, true);
    const known = ['batchSize', 'concurrency', 'spin', 'handlerTimeoutMs', 'graceMs', 'signal'];
    const given = new Options('Queue.consume', options, known);
    const batchSize = given.integer('batchSize', 1, batchMax, 64);
    const limits = checkedLimits(given, given.integer('concurrency', 1, batchMax, 1));
    const spin = given.integer('spin', 0, queueLimits.spin, 0);
    const signal = given.signal();
    const loop = this.#begin();
    const { take, handle } = handedBy(layer, () => this.#popSome(batchSize), handler);
    const batches = loop.source.batches(take, signal, spin);
    await this.#handleAll(
      loop,
      batches,
      signal,
      (interrupt) => new Handlers(handle, fail, limits, interrupt),
    );
  }

  /** Consumes the items that `by` takes, one by one. */
  async consumeBy<Item>(
    by: ConsumedBy<Item>,
    limits: Limits,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const loop = this.#begin(by.owner, () => by.leaving());
    const batches = loop.source.batches(() => by.take(), signal, 0);
    const items = loop.source.items(batches, (now) => by.between(now));
    await this.#handleAll(loop, items, signal, (interrupt) => {
      const timedOut = (item: Item, error: SluiceError): void => by.timedOut(item, error);
      return new Handlers<Item>((item, call) => by.handle(item, call), timedOut, limits, interrupt);
    });
  }

  async #handleAll<Item>(
    loop: ConsumeLoop,
    items: AsyncIterable<Item>,
    signal: AbortSignal | undefined,
    make: (interrupt: () => void) => Handlers<Item>,
  ): Promise<void> {
    try {
      const handlers = make(() => loop.source.interrupt());
      loop.stop = (reason) => handlers.stop(reason);
      loop.handled = new Promise((resolve) => {
        loop.ended = resolve;
      });
      await handlers.all(items, signal);
    } finally {
      this.#end(loop);
    }
  }

  /** Resolves when no handler of a `consume` of this object runs or may start any more. */
  async handled(): Promise<void> {
    await this.#loop?.handled;
  }

  /** Returns the `count` records that native code took last. */
  taken(count: number): T[] {
    const values: T[] = new Array(count);
    for (let i = 0; i < count; i++) values[i] = this.#out.decode(i * this.#bytes);
    return values;
  }

  releaseLease(): void {
    if (this.#isBusy) throw this.#reentrant('Queue.releaseLease');
    this.#native.giveLease();
  }

  /** Gives the lease back, unless this object runs a loop or a drain. */
  releaseIdle(): void {
    if (!this.#isBusy) this.#native.giveLease();
  }

  /**
   * Ends the loop of this object, if there is one, and gives its lease back at once: the signals of its handlers abort
   * with `reason`, and records that a drain has visited leave the queue. If `owner` is given, a loop of another owner
   * goes on.
   */
  leave(reason: unknown, owner?: object): void {
    const loop = this.#loop;
    if (loop === undefined || (owner !== undefined && loop.owner !== owner)) return;
    loop.stop?.(reason);
    this.freeVisited();
    this.#end(loop);
  }

  /**
   * Called before native code detaches from the queue. Records that a drain has visited leave the queue, and the drain
   * visits no more.
   */
  dispose(): void {
    this.freeVisited();
    this.#disposed = true;
    this.leave(disposed('Queue'));
  }

  /** Frees at once the records that a drain has visited, even in the middle of the drain. */
  freeVisited(): void {
    const visited = this.#visited;
    this.#visited = 0;
    if (visited > 0) this.#native.next(visited, 0);
  }

  /**
   * Repeats a native call that shows records until it shows some or there are none, and reports those that it dropped
   * on the way. It ends even if other threads keep pushing records that are dropped at once: when it has dropped as
   * many as the queue can hold, every record that was there at the call is gone. With `once`, it may show none after
   * having dropped some, so that the event loop gets a turn.
   */
  takeReportingDrops(call: () => number, once: boolean): number {
    if (!this.#drops) return this.#checked(call());
    const wants = this.#events.wantsDropped;
    if (wants !== this.#wantsDropped) this.#native.wantDropped(wants ? 1 : 0);
    this.#wantsDropped = wants;
    for (let left = this.#places; left > 0; ) {
      const count = this.#checked(call());
      const dropped = this.#words[words.dropped] as number;
      if (wants) this.#reportDropped(dropped);
      if (count > 0 || dropped === 0 || once) return count;
      left -= dropped;
    }
    return 0;
  }

  #take(max: number, once = false): number {
    if (!this.#drops) return this.#checked(this.#takeNative(max));
    return this.takeReportingDrops(() => this.#native.take(max), once);
  }

  #takeOne(): boolean {
    if (this.#drops) return this.#take(1) === 1;
    const answer = this.#takeOneNative();
    return answer === undefined || this.#checked(answer) > 0;
  }

  #next(consumed: number, max: number): number {
    // With `max` 0 native code only frees: it drops no records, and does not write how many it has dropped.
    if (!this.#drops || max === 0) return this.#checked(this.#nextNative(consumed, max));
    let freed = consumed;
    return this.takeReportingDrops(() => {
      const count = this.#native.next(freed, max);
      freed = 0;
      return count;
    }, false);
  }

  #reportDropped(dropped: number): void {
    const reported: Array<[T, number]> = [];
    for (let i = 0; i < dropped; i++) {
      reported.push([this.#dropped.decode(i * this.#bytes), this.#words[words.reasons + i] as number]);
    }
    const before = this.#draining;
    this.#draining = true;
    try {
      for (const [record, reason] of reported) this.#events.dropped(record, reason);
    } finally {
      this.#draining = before;
    }
  }

  /** As #pop, but may return no records after dropping many, so that the event loop gets a turn. */
  #popSome(max: number): T[] {
    return this.#pop(max, true);
  }

  #pop(max: number, once = false): T[] {
    // A native call that has taken records of a lane takes no more of that lane if the next one must be dropped, so one
    // call may return too few.
    if (max <= stagedRecords && (once || !this.#drops)) return this.taken(this.#take(max, once));
    const values: T[] = [];
    while (values.length < max) {
      // A listener may have disposed of the queue: what was taken before is not lost.
      if (this.#drops && values.length > 0 && this.#native.closed() === DISPOSED) break;
      const count = this.#take(Math.min(stagedRecords, max - values.length), once);
      if (count === 0) break;
      for (let i = 0; i < count; i++) values.push(this.#out.decode(i * this.#bytes));
    }
    return values;
  }

  #begin(owner?: object, leaving?: () => void): ConsumeLoop {
    if (this.#isBusy) throw this.#reentrant('Queue');
    const loop = { source: new RecordSource(this.#native), owner, leaving };
    loop.source.begin();
    this.#loop = loop;
    return loop;
  }

  /** Does nothing if the loop has ended before. */
  #end(loop: ConsumeLoop): void {
    if (this.#loop !== loop) return;
    this.#loop = undefined;
    loop.leaving?.();
    loop.source.end();
    loop.ended?.();
  }

  #notDraining(): void {
    if (this.#draining) {
      throw new SluiceError(
        'ERR_SLUICE_REENTRANT',
        'Queue: a visit of drain() and a listener must not consume',
      );
    }
  }

  get #isBusy(): boolean {
    return this.#draining || this.#loop !== undefined;
  }

  #reentrant(where: string): SluiceError {
    const does = this.#draining ? 'draining' : 'consuming';
    return new SluiceError('ERR_SLUICE_REENTRANT', `${where}: this object is already ${does}`);
  }

  /** Throws for a negative answer of native code. */
  #checked(answer: number): number {
    if (answer === NOT_CONSUMER) throw notConsumer();
    if (answer < 0) throw failed('Queue', answer);
    return answer;
  }
}
