import { performance } from 'node:perf_hooks';
import {
  DISPOSED,
  disposed,
  ENDED,
  type HotCalls,
  type NativeQueue,
  overflows,
  type QueueStaging,
  shownAndGone,
  stagedRecords,
} from '../binding/index.js';
import { isInteger, onAbort, optionError, SluiceError } from '../input/index.js';
import type { RecordType, RecordView } from '../record/index.js';
import { type ConsumedBy, type ConsumeLoop, RecordSource, turnMs } from './consume-loop.js';
import { Drops } from './drops.js';
import type { Events } from './events.js';
import { checkedConsume, fail, type HandlerContext, Handlers, type Limits } from './handlers.js';
import { handedBy, type OverflowLayer } from './layer.js';
import {
  type ConsumeInPlaceOptions,
  type ConsumeOptions,
  checkBatch,
  checkedInPlace,
  checkTimeout,
  drainError,
} from './options.js';
import { checked, Outlet } from './outlet.js';
import { sliceMs } from './producer.js';

/** What the short way of drain() needs, together, because V8 needs fewer bytecodes for it than for private fields. */
interface Quick<T> extends HotCalls {
  /** Undefined: drain() may not take its short way. */
  view: RecordView<T> | undefined;
  /** Whether the consumer runs a visit of drain(), or a listener. */
  draining: boolean;
  disposed: boolean;
}

/** The consumer's half of a queue object. Its methods are documented on `Queue`. */
export class Consumer<T> {
  readonly #native: NativeQueue;
  readonly #outlet: Outlet<T>;
  readonly #quick: Quick<T>;
  /** Undefined if the consumer drops no records. */
  readonly drops: Drops<T> | undefined;
  /** Whether producers drop records, too: then no record stays in the queue while it is visited. */
  readonly #overwrites: boolean;
  /** How long a record that was shown may wait for its visit, in milliseconds, before its deadline is checked again. */
  readonly #freshMs: number;
  /** The loop that consumes. */
  #loop: ConsumeLoop | undefined;
  /** How many of the records that drain() is visiting leave the queue with the next native call. */
  #visited = 0;
  /** True if drain() is visiting a single record, which has left the queue already. */
  #gone = false;

  constructor(
    native: NativeQueue,
    calls: HotCalls,
    record: RecordType<T>,
    staging: QueueStaging,
    events: Events<T>,
  ) {
    this.#native = native;
    this.#outlet = new Outlet(native, calls, record, staging);
    this.#quick = { ...calls, view: undefined, draining: false, disposed: false };
    this.drops = native.drops ? new Drops(native, this.#outlet, events, this.#quick) : undefined;
    this.#overwrites = native.overflow === overflows.overwrite;
    this.#freshMs = !native.expires ? Infinity : native.manualClock ? -1 : 0.1;
  }

  tryPop(): T | undefined {
    this.#notDraining();
    return this.#tookOne() ? this.#outlet.taken(0) : undefined;
  }

  popMany(max: number): T[] {
    checkBatch('Queue.popMany: max', max);
    this.#notDraining();
    return this.#pop(max);
  }

  popSync(timeoutMs: number): T | undefined {
    checkTimeout('Queue.popSync', timeoutMs);
    if (this.#isBusy) throw this.#reentrant('Queue.popSync');
    let deadline: number | undefined; // set when the queue is first empty: no clock is read before
    for (;;) {
      if (this.#tookOne()) return this.#outlet.taken(0);
      const now = performance.now();
      deadline ??= now + timeoutMs;
      const left = deadline - now;
      if (left <= 0) return undefined;
      const state = checked(this.#native.awaitRecord(Math.min(sliceMs, Math.ceil(left))));
      if (state === ENDED) return undefined;
    }
  }

  /**
   * Takes the short way for one record: as few bytecodes as can be, because V8 inlines only so many into a loop that
   * drains. The record has left the queue before its visit.
   */
  drain(visit: (record: RecordView<T>) => void, max: number | undefined): number {
    const quick = this.#quick;
    const { view } = quick;
    if (max !== 1 || !view || quick.draining || typeof visit !== 'function')
      return this.drainMany(visit, max);
    const answer = quick.takeOne(quick.cell, quick.low, quick.high);
    if (answer && !this.tookOtherwise(answer)) return 0;
    quick.draining = true;
    try {
      visit(view);
    } catch (error) {
      quick.draining = false;
      throw error;
    }
    quick.draining = false;
    return quick.disposed ? this.visitedDisposed() : 1;
  }

  /** Called with each answer but success. Not a private method: V8 needs more bytecodes for the call of one. */
  tookOtherwise(answer: number): boolean {
    return this.#outlet.tookOtherwise(answer);
  }

  visitedDisposed(): never {
    throw disposed('Queue');
  }

  /** `end`: when to visit no more of the records that are there, as performance.now(). */
  drainMany(
    visit: (record: RecordView<T>) => void,
    most: number | undefined,
    end: number | undefined = undefined,
  ): number {
    const max = most ?? this.#native.capacity * this.#native.lanes;
    if (typeof visit !== 'function' || !isInteger(max) || max < 0) throw drainError(visit, max);
    this.#notDraining();
    const quick = this.#quick;
    const view = this.#outlet.view();
    const loop = this.#loop;
    let visited = 0;
    let lookAt = 1; // how many visits until the next look at the clock
    quick.draining = true;
    try {
      for (;;) {
        const shown = this.#showNext(max - visited);
        // A listener for dropped records has disposed of the queue: the next consumer gets the records shown.
        if (this.#quick.disposed && !this.#gone) throw disposed('Queue');
        // A loop that has ended meanwhile has given the lease back: the next consumer gets the records in the queue.
        if (shown === 0 || (!this.#gone && this.#loop !== loop)) return visited;
        visited += this.#visitShown(visit, view, shown);
        if (this.#loop !== loop || (this.#gone && visited === max)) return visited;
        if (end === undefined || visited < lookAt) continue;
        const left = end - performance.now();
        if (left <= 0) return visited;
        // A look at the clock costs as much as the visits of some records. So the next one comes after as many visits
        // again: if these take as long, the time is not over before it.
        lookAt = visited + (left > turnMs / 2 ? Math.min(visited, 512) : 1);
      }
    } finally {
      quick.draining = false;
      if (this.drops === undefined) quick.view = view;
      // The next record that is taken has this place. And a view that the program keeps must not show a slot that a
      // producer writes.
      this.#outlet.showTaken();
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
    if (gone) return this.#tookOne() ? 1 : 0;
    const shown = this.#next(visited, Math.min(stagedRecords, left));
    this.#gone = shown === shownAndGone;
    return this.#gone ? 1 : shown;
  }

  /** Visits the records shown, as long as they are the next records in the queue. Returns how many it visited. */
  #visitShown(visit: (record: RecordView<T>) => void, view: RecordView<T>, shown: number): number {
    const { show, at, apart } = this.#outlet;
    if (this.#gone) {
      show(at);
      visit(view);
      if (this.#quick.disposed) throw disposed('Queue');
      return 1;
    }
    const mayExpire = this.#freshMs < Infinity;
    const shownAt = mayExpire ? performance.now() : 0;
    let seen = 0;
    for (let next = at; ; next += apart) {
      show(next);
      this.#visited = ++seen;
      visit(view);
      // The visitor has called a method of this queue, which has freed the visited records. Other records may follow
      // them by now, so the next records are shown again.
      if (this.#visited !== seen) break;
      // The visit took so long that the time of the next records may have run out: they are shown again.
      if (seen === shown || (mayExpire && performance.now() - shownAt > this.#freshMs)) return seen;
    }
    if (this.#quick.disposed) throw disposed('Queue');
    return seen;
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
      for await (const [value] of loop.source.batches(() => this.#pop(1, true), undefined, 0))
        yield value as T;
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
    const { batchSize, spin, signal, limits } = checkedConsume(options);
    const loop = this.#begin();
    const { take, handle } = handedBy(layer, () => this.#pop(batchSize, true), handler);
    const batches = loop.source.batches(take, signal, spin);
    await this.#handleAll(
      loop,
      batches,
      signal,
      (interrupt) => new Handlers(handle, fail, limits, interrupt),
    );
  }

  async consumeInPlace(
    visit: (record: RecordView<T>) => void,
    options: ConsumeInPlaceOptions | undefined,
  ): Promise<void> {
    const where = 'Queue.consumeInPlace';
    if (typeof visit !== 'function') throw optionError(`${where}: visit`, 'a function', visit, true);
    const { spin, signal } = checkedInPlace(where, options);
    signal?.throwIfAborted();
    const loop = this.#begin();
    const ends: unknown[] = []; // why the loop has ended before the queue is drained
    loop.stop = (reason) => void ends.push(reason);
    const forget = onAbort(signal, () => this.leave(signal?.reason));
    try {
      await loop.source.visits((max, end) => this.drainMany(visit, max, end), spin);
    } finally {
      forget();
      this.#end(loop);
    }
    if (ends.length > 0) throw ends[0];
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
    for (let i = 0; i < count; i++) values[i] = this.#outlet.taken(i);
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
    this.#quick.disposed = true;
    this.leave(disposed('Queue'));
  }

  /** Frees at once the records that a drain has visited, even in the middle of the drain. */
  freeVisited(): void {
    const visited = this.#visited;
    this.#visited = 0;
    if (visited === 0) return;
    if (this.#quick.draining) this.#outlet.keep(visited - 1);
    this.#outlet.free(visited);
  }

  #take(max: number, once = false): number {
    if (this.drops === undefined) return this.#outlet.take(max);
    return this.drops.reporting(() => this.#outlet.take(max), once);
  }

  #tookOne(): boolean {
    return this.drops === undefined ? this.#outlet.takeOne() : this.#take(1) === 1;
  }

  #next(consumed: number, max: number): number {
    // With `max` 0 native code only frees: it drops no records, and does not write how many it has dropped.
    if (this.drops === undefined || max === 0) return this.#outlet.next(consumed, max);
    let freed = consumed;
    return this.drops.reporting(() => {
      const count = this.#outlet.next(freed, max);
      freed = 0;
      return count;
    }, false);
  }

  /** With `once`, it may return no records after dropping many, so that the event loop gets a turn. */
  #pop(max: number, once = false): T[] {
    if (this.#outlet.inPlace && max > 1) return this.#outlet.pop(max);
    // A native call that has taken records of a lane takes no more of that lane if the next one must be dropped, so one
    // call may return too few.
    if (max <= stagedRecords && (once || this.drops === undefined)) return this.taken(this.#take(max, once));
    const values: T[] = [];
    while (values.length < max) {
      // A listener may have disposed of the queue: what was taken before is not lost.
      if (this.drops !== undefined && values.length > 0 && this.#native.closed() === DISPOSED) break;
      const count = this.#take(Math.min(stagedRecords, max - values.length), once);
      if (count === 0) break;
      for (let i = 0; i < count; i++) values.push(this.#outlet.taken(i));
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
    if (this.#quick.draining) {
      throw new SluiceError(
        'ERR_SLUICE_REENTRANT',
        'Queue: a visit of drain() and a listener must not consume',
      );
    }
  }

  get #isBusy(): boolean {
    return this.#quick.draining || this.#loop !== undefined;
  }

  #reentrant(where: string): SluiceError {
    const does = this.#quick.draining ? 'draining' : 'consuming';
    return new SluiceError('ERR_SLUICE_REENTRANT', `${where}: this object is already ${does}`);
  }
}
