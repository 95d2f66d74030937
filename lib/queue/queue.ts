import { nativeClock, type ManualClock } from '../clock/index.js';
import { optionError, SluiceError } from '../errors.js';
import {
  alive,
  CLOSED,
  checkedHandle,
  DISPOSED,
  disposed,
  type Handle,
  made,
  type NativeQueue,
  NOT_CONSUMER,
  native,
  publicHandle,
  type QueueStats,
} from '../native.js';
import { Options } from '../options.js';
import { type Codec, RecordType, type RecordView } from '../record/index.js';
import { Arrival, notConsumer } from './arrival.js';
import { handleAll, oneByOne } from './handlers.js';

export type QueueHandle = Handle<'queue'>;

export interface QueueOptions {
  /** The most records the queue holds, exactly: 1 to 16,777,216. */
  readonly capacity: number;
  /** Measure how long records wait, for `stats().waitNs`: one clock reading a push and a batch. Default: false. */
  readonly latency?: boolean;
  /** A manual clock for tests. Default: the machine's monotonic clock. */
  readonly clock?: ManualClock;
}

export interface ConsumeOptions {
  /** The most records a handler gets at once: 1 to 65,536. Default: 64. */
  readonly batchSize?: number;
  /** The most handlers that run at the same time: 1 to 65,536. Default: 1. */
  readonly concurrency?: number;
  /** Ends the consumption: see `consume`. */
  readonly signal?: AbortSignal;
}

const capacityMax = 1 << 24;
const batchMax = 65_536;
/** Records staged for one native call. */
const staged = 64;
const what = 'Queue';

/** Objects whose handle was read: they stay, so that another thread can attach, until disposed of. */
const pinned = new Set<Queue<unknown>>();

/**
 * A bounded queue of typed records in native memory, shared by all threads of the process: any number of
 * producers, one consumer. Order is first in, first out per producer, and across producers that of their claims.
 *
 * The memory is taken at creation and never grows. An object belongs to the thread that made it; other threads
 * attach by its `handle`. A thread lets go of the queue when it ends, on `dispose`, or, if the handle was never
 * read, when the object is garbage collected; the memory goes with the last thread that does.
 */
export class Queue<T> implements Disposable {
  readonly record: RecordType<T>;
  /** The most records the queue holds. */
  readonly capacity: number;
  readonly #native: NativeQueue;
  readonly #in: Codec<T>;
  readonly #out: Codec<T>;
  readonly #bytes: number;
  readonly #arrival: Arrival;
  #busy: 'draining' | 'consuming' | undefined;

  private constructor(record: RecordType<T>, attach: (staging: { in: ArrayBuffer; out: ArrayBuffer }) => NativeQueue) {
    const staging = { in: new ArrayBuffer(staged * record.bytes), out: new ArrayBuffer(staged * record.bytes) };
    this.record = record;
    this.#native = attach(staging);
    this.capacity = this.#native.capacity;
    this.#in = record.codec(staging.in);
    this.#out = record.codec(staging.out);
    this.#bytes = record.bytes;
    this.#arrival = new Arrival(this.#native);
  }

  /**
   * A new queue of `record`s.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option;
   *   SluiceError (`ERR_SLUICE_MEMORY`) if the system has no memory to give.
   */
  static create<T>(record: RecordType<T>, options: QueueOptions): Queue<T> {
    return Queue.createAt(record, options, 0n);
  }

  /** @internal As `create`, with the ring's positions counting from `first`: for tests of their wrap-around. */
  static createAt<T>(record: RecordType<T>, options: QueueOptions, first: bigint): Queue<T> {
    checkRecord('Queue.create', record);
    const given = new Options('Queue.create', options, ['capacity', 'latency', 'clock']);
    const native_ = {
      capacity: given.integer('capacity', 1, capacityMax),
      timed: given.boolean('latency', false),
      clock: nativeClock('Queue.create', given.get('clock')),
      recordBytes: record.bytes,
      schema: record.schema,
      start: first,
    };
    return new Queue(record, (staging) => made('Queue.create', native.createQueue(native_, staging)));
  }

  /**
   * The queue of another thread (or of this one), by its handle.
   * @throws TypeError (`ERR_SLUICE_OPTION`) if it is no queue's handle; SluiceError `ERR_SLUICE_HANDLE` if the queue
   *   is gone, `ERR_SLUICE_SCHEMA` if it was created with another record, `ERR_SLUICE_THREADS` if it is attached
   *   256 times already.
   */
  static attach<T>(record: RecordType<T>, handle: QueueHandle): Queue<T> {
    checkRecord('Queue.attach', record);
    const checked = checkedHandle('Queue.attach', 'queue', handle);
    return new Queue(record, (staging) => made('Queue.attach', native.attachQueue(checked, record.schema, staging)));
  }

  /** Names the queue to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): QueueHandle {
    pinned.add(this as Queue<unknown>);
    return publicHandle('queue', this.#native.handle);
  }

  /** Records in the queue now, those being written or drained included. */
  get depth(): number {
    const depth = this.#native.depth();
    if (depth === DISPOSED) throw disposed(what);
    return depth;
  }

  /** Whether the queue takes no more records. */
  get closed(): boolean {
    return this.#checked(this.#native.closed()) === 1;
  }

  /**
   * Adds a record. False if the queue is full. One native call; allocates nothing.
   * @throws TypeError, RangeError (`ERR_SLUICE_FIELD`) naming a field with a bad value: nothing is added;
   *   SluiceError `ERR_SLUICE_CLOSED` if the queue is closed.
   */
  tryPush(value: T, options?: Record<string, never>): boolean {
    if (options !== undefined) new Options('Queue.tryPush', options, []);
    this.#in.encode(value, 0);
    const pushed = this.#native.push();
    return pushed === 1 || (pushed !== 0 && this.#refused(pushed));
  }

  /**
   * Adds the records of `list` in order while there is room. Returns how many were added: the first so many.
   * @throws as `tryPush`. A bad value anywhere in the list is found before any is added; if the queue is closed in
   *   the middle of a long list, the number added so far is returned.
   */
  tryPushMany(list: readonly T[]): number {
    if (!Array.isArray(list)) throw optionError('Queue.tryPushMany: list', 'an array of records', list, true);
    const length = list.length;
    // More than one native call: look at every value before the first is added.
    if (length > staged) for (const value of list) this.#in.encode(value, 0);
    let added = 0;
    while (added < length) {
      const count = Math.min(staged, length - added);
      for (let i = 0; i < count; i++) this.#in.encode(list[added + i] as T, i * this.#bytes);
      const taken = this.#native.pushMany(count, length - added - count);
      if (taken < 0) {
        if (added === 0) this.#refused(taken);
        return added;
      }
      added += taken;
      if (taken < count) break;
    }
    return added;
  }

  /**
   * Removes the oldest record; undefined if there is none now. The first call makes this object the consumer until
   * it is disposed of, its thread ends, or `releaseLease` is called.
   * @throws SluiceError `ERR_SLUICE_CONSUMER` if another one is the consumer; `ERR_SLUICE_REENTRANT` from within the
   *   `visit` of `drain`.
   */
  tryPop(): T | undefined {
    this.#notDraining();
    return this.#checked(this.#native.take(1)) === 0 ? undefined : this.#out.decode(0);
  }

  /** Removes up to `max` records (1 to 65,536), oldest first. @throws as `tryPop`. */
  popMany(max: number): T[] {
    if (!Number.isInteger(max) || max < 1 || max > batchMax) {
      throw optionError('Queue.popMany: max', `a whole number from 1 to ${batchMax}`, max, typeof max !== 'number');
    }
    this.#notDraining();
    return this.#pop(max);
  }

  /**
   * Calls `visit` with each record now in the queue, oldest first, at most `max` of them, and returns how many. The
   * view is reused: it is good until `visit` returns; `toObject()` copies. Allocates nothing. A record leaves the
   * queue after its visit, at the latest with the end of its batch of 64; if `visit` throws, the record it was
   * called with is gone and the others stay. `visit` must not consume from this queue.
   * @throws as `tryPop`; whatever `visit` throws.
   */
  drain(visit: (record: RecordView<T>) => void, max: number = Number.MAX_SAFE_INTEGER): number {
    if (typeof visit !== 'function') throw optionError('Queue.drain: visit', 'a function', visit, true);
    if (!Number.isInteger(max) || max < 0) {
      throw optionError('Queue.drain: max', 'a whole number from 0', max, typeof max !== 'number');
    }
    this.#notDraining();
    const { view } = this.#out;
    const before = this.#busy;
    let visited = 0;
    let shown = 0;
    this.#busy = 'draining';
    try {
      for (;;) {
        const count = this.#checked(this.#native.next(shown, Math.min(staged, max - visited)));
        shown = 0;
        if (count === 0) return visited;
        while (shown < count) {
          this.#out.move(shown * this.#bytes);
          shown++;
          visited++;
          visit(view);
        }
      }
    } finally {
      this.#busy = before;
      if (shown > 0) this.#native.next(shown, 0);
    }
  }

  /**
   * Each record as it comes, until the queue is closed and drained. A record leaves the queue when it is handed out;
   * leaving the loop early leaves the rest in the queue and releases the lease.
   * @throws as `tryPop`.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    this.#begin();
    try {
      for await (const [value] of this.#arrival.batches(() => this.#pop(1), undefined)) yield value as T;
    } finally {
      this.#end();
    }
  }

  /**
   * Hands records to `handler` in arrays of up to `batchSize`, oldest first, until the queue is closed and drained.
   * The next batch is taken when the handler's promise resolves; with `concurrency` n, up to n run at a time. At
   * least every 1,024 records the event loop gets a turn. A batch belongs to the handler: it has left the queue.
   *
   * When `signal` aborts, nothing more is taken; handlers that run are awaited, then the promise rejects with the
   * signal's reason. When a handler fails, likewise with its error. The lease is released in the end.
   * @throws as `tryPop`; TypeError, RangeError (`ERR_SLUICE_OPTION`).
   */
  async consume(handler: (batch: T[]) => unknown, options?: ConsumeOptions): Promise<void> {
    if (typeof handler !== 'function') throw optionError('Queue.consume: handler', 'a function', handler, true);
    const given = new Options('Queue.consume', options, ['batchSize', 'concurrency', 'signal']);
    const batchSize = given.integer('batchSize', 1, batchMax, 64);
    const concurrency = given.integer('concurrency', 1, batchMax, 1);
    const signal = given.signal();
    this.#begin();
    try {
      const batches = this.#arrival.batches(() => this.#pop(batchSize), signal);
      await handleAll(batches, handler, concurrency, () => this.#arrival.interrupt());
    } finally {
      this.#end();
    }
  }

  /** Gives up being the consumer, so that another thread can be. Nothing happens if this object is not. */
  releaseLease(): void {
    if (this.#busy !== undefined) {
      throw new SluiceError('ERR_SLUICE_REENTRANT', `Queue.releaseLease: this object is ${this.#busy}`);
    }
    this.#native.giveLease();
  }

  /**
   * Takes no more records; those inside can still be consumed, and consuming loops end after the last. For all
   * threads, for good. Returns whether this call closed it.
   */
  close(): boolean {
    return this.#checked(this.#native.close()) === 1;
  }

  /** Counters since creation, over all threads. Times are in nanoseconds. */
  stats(): QueueStats {
    return alive(what, this.#native.stats());
  }

  /** Lets go of the queue in this thread, at once. A consuming loop of this object ends. Other threads keep it. */
  [Symbol.dispose](): void {
    this.#arrival.interrupt();
    this.#native.dispose();
    pinned.delete(this as Queue<unknown>);
  }

  /** @internal The native object, for those that build on this queue. */
  get native(): NativeQueue {
    return this.#native;
  }

  /** @internal Writes `value` where the next native push takes it from. */
  stage(value: T): void {
    this.#in.encode(value, 0);
  }

  /** @internal The `count` records last taken by native code. */
  taken(count: number): T[] {
    const values: T[] = new Array(count);
    for (let i = 0; i < count; i++) values[i] = this.#out.decode(i * this.#bytes);
    return values;
  }

  /** @internal Consumes one by one what `take` removes by other means than this object's own methods. */
  async consumeBy<Item>(
    take: () => Item[],
    handle: (item: Item) => unknown,
    concurrency: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#begin();
    try {
      const items = oneByOne(this.#arrival.batches(take, signal));
      await handleAll(items, handle, concurrency, () => this.#arrival.interrupt());
    } finally {
      this.#end();
    }
  }

  #pop(max: number): T[] {
    if (max <= staged) return this.taken(this.#checked(this.#native.take(max)));
    const values: T[] = [];
    while (values.length < max) {
      const count = this.#checked(this.#native.take(Math.min(staged, max - values.length)));
      if (count === 0) break;
      for (let i = 0; i < count; i++) values.push(this.#out.decode(i * this.#bytes));
    }
    return values;
  }

  #begin(): void {
    if (this.#busy !== undefined) {
      throw new SluiceError('ERR_SLUICE_REENTRANT', `Queue: this object is already ${this.#busy}`);
    }
    this.#arrival.begin();
    this.#busy = 'consuming';
  }

  #end(): void {
    this.#busy = undefined;
    this.#arrival.end();
  }

  #notDraining(): void {
    if (this.#busy === 'draining') {
      throw new SluiceError('ERR_SLUICE_REENTRANT', 'Queue: the visit of drain() must not consume from its queue');
    }
  }

  /** Throws for a negative answer of native code. */
  #checked(answer: number): number {
    if (answer < 0) this.#refused(answer);
    return answer;
  }

  #refused(answer: number): never {
    if (answer === CLOSED) throw new SluiceError('ERR_SLUICE_CLOSED', 'Queue: closed, takes no more records');
    if (answer === NOT_CONSUMER) throw notConsumer();
    throw disposed(what);
  }
}

function checkRecord(where: string, record: unknown): void {
  if (!(record instanceof RecordType)) throw optionError(`${where}: record`, 'what record() returns', record, true);
}
