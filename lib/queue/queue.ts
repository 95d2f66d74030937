import type { ReadableStream, WritableStream } from 'node:stream/web';
import {
  Attachment,
  arrays,
  checkedAnswer,
  checkedHandle,
  disposed,
  type Handle,
  isMaker,
  type Maker,
  maker,
  type NativeQueue,
  native,
  overflows,
  queueStaging,
  type Reason,
  staged,
} from '../binding/index.js';
import { constructorError, isOurs, Options, optionError } from '../input/index.js';
import { RecordType, type RecordView } from '../record/index.js';
import type { Batcher } from './batcher.js';
import { Consumer } from './consumer.js';
import { DrainWaits } from './drain-waits.js';
import { Events, type QueueEvents } from './events.js';
import type { HandlerContext } from './handlers.js';
import type { OverflowLayer } from './layer.js';
import {
  type AttachOptions,
  type CheckedQueue,
  type ConsumeInPlaceOptions,
  type ConsumeOptions,
  checkedOverflow,
  checkedQueue,
  type PushOptions,
  type QueueOptions,
  type WaitOptions,
} from './options.js';
import type { Permit } from './permit.js';
import { Producer } from './producer.js';
import { SpillingProducer } from './spilling-producer.js';
import { type QueueStats, statsOf } from './stats.js';
import { readableOf, writableTo } from './streams.js';
import { type WaitHistogram, waitsOf } from './wait-histogram.js';

/** Names a queue to other threads. Survives structured clone. */
export type QueueHandle = Handle<'queue'>;

const what = 'Queue';

/**
 * The parts of a queue object, for other modules of lib/. A program cannot reach them from a public object, because
 * native code trusts its callers.
 */
export interface QueueInside<T> {
  readonly native: NativeQueue;
  readonly producer: Producer<T>;
  readonly consumer: Consumer<T>;
  /** Behind the ring; undefined without one. */
  readonly layer: OverflowLayer<T> | undefined;
}
export let insideQueue: <T>(queue: Queue<T>) => QueueInside<T>;

/** Attaches as `Queue.attach` does. Its errors name `where`. */
export let attachQueue: <T>(
  where: string,
  record: RecordType<T>,
  handle: QueueHandle,
  options: AttachOptions<T> | undefined,
) => Queue<T>;

/**
 * A bounded queue of typed records in native memory, shared by all threads of the process: any number of producers, one
 * consumer. The records of one producer leave in the order in which it pushed them; the records of several producers in
 * the order in which these claimed their slots. With lanes, this holds within each lane.
 *
 * The memory is reserved at creation and never grows (see the option `commit`). An object belongs to the thread that
 * made it; other threads attach by its `handle`. A thread detaches from the queue when the thread ends, when the object
 * is disposed of, or, if its handle was never read, when the object is garbage-collected. The memory is freed when the
 * last thread has detached, and no limiter follows or watches the queue any more.
 */
export class Queue<T> implements Disposable, AsyncDisposable {
  /** The type of its records. */
  readonly record: RecordType<T>;
  /** The most records of a lane. */
  readonly capacity: number;
  readonly #native: NativeQueue;
  readonly #attachment: Attachment<'queue'>;
  readonly #events: Events<T> = new Events<T>(this);
  readonly #producer: Producer<T>;
  readonly #consumer: Consumer<T>;
  readonly #layer: OverflowLayer<T> | undefined;
  readonly #drainWaits: DrainWaits;
  readonly #words: Float64Array;
  /** Whether this object pushes through the WebAssembly face. */
  readonly #isWasm: boolean;

  private constructor(
    by: Maker,
    record: RecordType<T>,
    attach: (staging: ArrayBuffer | undefined) => NativeQueue | Reason,
    where: string,
    onOverflow: unknown,
    spills?: CheckedQueue<T>['spills'],
  ) {
    if (!isMaker(by)) throw constructorError('Queue', 'Queue.create() or Queue.attach()');
    const { native: made, staging, calls } = staged(where, record.bytes, attach);
    this.record = record;
    this.#native = made;
    this.#isWasm = calls.pushes;
    this.#words = new arrays.Float64Array(staging.buffer, staging.words, queueStaging.bytes / 8);
    this.#attachment = new Attachment('queue', this, this.#native);
    this.capacity = this.#native.capacity;
    let listener: ((record: T) => void) | undefined;
    try {
      listener = checkedOverflow<T>(where, onOverflow, this.#native.overflow === overflows.caller);
    } catch (error) {
      this.#native.dispose();
      throw error;
    }
    const producer =
      spills === undefined
        ? new Producer(this.#native, calls, record, staging, this.#events, listener)
        : new SpillingProducer(this.#native, calls, record, staging, this.#events, spills);
    this.#producer = producer;
    this.#layer = producer instanceof SpillingProducer ? producer.layer : undefined;
    this.#consumer = new Consumer(this.#native, calls, record, staging, this.#events);
    this.#drainWaits = new DrainWaits(this.#native, this.#producer);
  }

  /** True only for objects that this copy of sluice made, whatever their prototype. */
  static [Symbol.hasInstance](value: unknown): value is Queue<unknown> {
    return typeof value === 'object' && value !== null && #native in value;
  }

  /**
   * Creates a queue of `record`s.
   *
   * @param record The type of its records.
   * @param options Its capacity, and the other options of `QueueOptions`.
   * @returns The queue.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option;
   *   SluiceError (`ERR_SLUICE_MEMORY`) if the system has no memory to give.
   * @example
   * const Order = record({ orderId: u64, sku: u32 });
   * const queue = Queue.create(Order, { capacity: 65_536 });
   */
  static create<T>(record: RecordType<T>, options: QueueOptions<T>): Queue<T> {
    return Queue.createAt(record, options, 0n);
  }

  /** @internal As `create`, with the ring's positions counting from `first`: for tests of their wrap-around. */
  static createAt<T>(record: RecordType<T>, options: QueueOptions<T>, first: bigint): Queue<T> {
    const where = 'Queue.create';
    checkRecord(where, record);
    const { native: given, onOverflow, spills } = checkedQueue<T>(options);
    const described = { ...given, recordBytes: record.bytes, schema: record.schema, start: first };
    return new Queue(
      maker,
      record,
      (staging) => native.createQueue(described, staging),
      where,
      onOverflow,
      spills,
    );
  }

  /**
   * Attaches to the queue of another thread (or of this one) by its handle.
   *
   * @param record The type of its records: fields of the same names and types, in the same order.
   * @param handle The `handle` of the queue.
   * @param options `onOverflow`, needed if the queue's overflow policy is 'caller'.
   * @returns This thread's object for the same queue.
   * @throws TypeError (`ERR_SLUICE_OPTION`) if `handle` is no queue's handle; SluiceError `ERR_SLUICE_HANDLE` if no
   *   thread has the queue any more, `ERR_SLUICE_SCHEMA` if it was created with another record, `ERR_SLUICE_LAYOUT` if
   *   another version of sluice laid out its memory, `ERR_SLUICE_THREADS` if 256 threads have it attached. A thread
   *   counts once, however often it attaches.
   * @example
   * const queue = Queue.attach(Order, workerData.queue);
   */
  static attach<T>(record: RecordType<T>, handle: QueueHandle, options?: AttachOptions<T>): Queue<T> {
    return Queue.#attach('Queue.attach', record, handle, options);
  }

  static #attach<T>(
    this: void,
    where: string,
    record: RecordType<T>,
    handle: QueueHandle,
    options: AttachOptions<T> | undefined,
  ): Queue<T> {
    checkRecord(where, record);
    const checked = checkedHandle(where, 'queue', handle);
    const onOverflow = new Options(where, options, ['onOverflow']).get('onOverflow');
    return new Queue(
      maker,
      record,
      (staging) => native.attachQueue(checked, record.schema, staging),
      where,
      onOverflow,
    );
  }

  /** Names the queue to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): QueueHandle {
    return this.#attachment.handle;
  }

  /** The number of records in the queue now, including those that are being written or drained. */
  get depth(): number {
    return checkedAnswer(what, this.#native.depth());
  }

  /** The number of lanes: see `QueueOptions.lanes`. */
  get lanes(): number {
    return this.#native.lanes;
  }

  /** Whether the queue takes no more records. */
  get closed(): boolean {
    return checkedAnswer(what, this.#native.closed()) === 1;
  }

  // ---- producing ---------------------------------------------------------------------------------------------

  /**
   * Adds a record, unless the queue is full (see `QueueOptions.overflow`) or other callers wait for room already. Makes
   * one call of native code or WebAssembly; without options it allocates nothing.
   *
   * @param value The record: a value for each field.
   * @param options `lane` (0 is the first) and `ttlMs` of this record.
   * @returns Whether the record was added.
   * @throws TypeError, RangeError (`ERR_SLUICE_FIELD`) naming a field with a bad value: nothing is added;
   *   `ERR_SLUICE_OPTION`; SluiceError `ERR_SLUICE_CLOSED` if the queue is closed.
   * @example
   * if (!queue.tryPush(order)) response.writeHead(503).end();
   */
  tryPush(value: T, options?: PushOptions): boolean {
    return this.#producer.tryPush(value, options);
  }

  /**
   * Adds the records of `list` in order while there is room.
   *
   * @param list The records, oldest first.
   * @param options `lane` (0 is the first) and `ttlMs` of these records.
   * @returns How many were added: always a prefix of `list`.
   * @throws as `tryPush`; the error of a bad value also names the record's place in the list (`index`). A bad value
   *   anywhere in the list is found before any record is added. If the queue is closed in the middle of a long list,
   *   the call returns the number of records added so far.
   * @example
   * const added = queue.tryPushMany(orders);
   * const left = orders.slice(added);
   */
  tryPushMany(list: readonly T[], options?: PushOptions): number {
    return this.#producer.tryPushMany(list, options);
  }

  /**
   * Adds a record, and waits for room if there is none: waiters of all threads are served in the order in which they
   * came. While a caller waits, `tryPush` finds no room in that lane. The wait keeps the process alive. A waiter that
   * times out, is aborted or is terminated leaves nothing behind.
   *
   * In the thread that created a queue with the overflow `spill`, it does not wait for room: what the ring should not
   * or cannot take goes to the store, and the promise is resolved when it is durable there. Nothing calls back what is
   * on its way to the store: `timeoutMs` and `signal` count only before.
   *
   * @param value The record: a value for each field. It is copied at the call.
   * @param options `lane` (0 is the first) and `ttlMs` of this record. `timeoutMs` and `signal` bound the wait.
   * @returns A promise that is resolved when the record was added.
   * @throws as `tryPush`; the signal's reason; SluiceError `ERR_SLUICE_TIMEOUT` if there was no room within
   *   `timeoutMs`, `ERR_SLUICE_WAITERS` if `maxWaiting` callers wait already, `ERR_SLUICE_CLOSED` if the queue is
   *   closed while the call waits; the record was then not added.
   * @example
   * await queue.push(order, { timeoutMs: 100 });
   */
  push(value: T, options?: PushOptions & WaitOptions): Promise<void> {
    return this.#producer.push(value, options);
  }

  /**
   * Adds a record as `push` does, but blocks the thread until there is room, for `timeoutMs` (0 to 2,147,483,647) at
   * most. It is for workers. The thread sleeps without using the CPU, and obeys `worker.terminate()` within 100 ms.
   *
   * @param value The record: a value for each field.
   * @param timeoutMs The longest wait, in milliseconds: 0 to 2,147,483,647.
   * @param options `lane` (0 is the first) and `ttlMs` of this record.
   * @returns Whether the record was added; false if there was no room in that time.
   * @throws as `push`.
   * @example
   * if (!queue.pushSync(order, 50)) dropped += 1;
   */
  pushSync(value: T, timeoutMs: number, options?: PushOptions): boolean {
    return this.#producer.pushSync(value, timeoutMs, options);
  }

  /**
   * Takes room for `count` records ahead (1 to 16,383, at most the capacity), and waits for it as `push` does.
   *
   * @param count How many records: 1 to 16,383, at most the capacity.
   * @param options `lane`, and `timeoutMs` and `signal` that bound the wait. The signal also returns the permit when
   *   it aborts later.
   * @returns A permit for that many records.
   * @throws as `push`.
   * @example
   * const permit = await queue.reserve(2);
   * permit.send(debit);
   * permit.send(credit);
   */
  reserve(count: number, options?: { readonly lane?: number } & WaitOptions): Promise<Permit<T>> {
    return this.#producer.reserve(count, options);
  }

  /**
   * Takes room as `reserve` does, but does not wait.
   *
   * @param count How many records: 1 to 16,383, at most the capacity.
   * @param options `lane`. Default: 0, the first.
   * @returns A permit for that many records; undefined if there is no room for all of them now.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_CLOSED` if the queue is closed,
   *   `ERR_SLUICE_DISPOSED`.
   * @example
   * const permit = queue.tryReserve(2);
   * if (permit === undefined) return refuse();
   */
  tryReserve(count: number, options?: { readonly lane?: number }): Permit<T> | undefined {
    const lane = new Options('Queue.tryReserve', options, ['lane']).get('lane') as number | undefined;
    return this.#producer.tryReserve(count, lane);
  }

  /**
   * Makes a batcher, which gathers records and publishes up to `max` (1 to 4,096; default 64) of them with one native
   * call, at the end of the current turn of the event loop at the latest. Pushing one record at a time then costs
   * nearly as little as `tryPushMany`. From the first gathered record to that call, up to `max` places of the queue are
   * taken. Records that are pushed by other means meanwhile come first.
   *
   * @param options `max` records to gather (1 to 4,096; default 64), and their `lane`.
   * @returns The batcher.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_MEMORY`, `ERR_SLUICE_DISPOSED`.
   * @example
   * const batcher = queue.batcher({ max: 256 });
   * batcher.push(order);
   */
  batcher(options?: { readonly max?: number; readonly lane?: number }): Batcher<T> {
    return this.#producer.batcher(options);
  }

  // ---- consuming ---------------------------------------------------------------------------------------------

  /**
   * Removes the oldest record (with lanes, of the lane that is served next). The first call makes this object the
   * consumer until it is disposed of, its thread ends, or `releaseLease` is called.
   *
   * @returns The oldest record; undefined if there is none now, or if all records that were there at the call had to be
   *   dropped (expired, shed, overwritten).
   * @throws SluiceError `ERR_SLUICE_CONSUMER` if another object is the consumer; `ERR_SLUICE_REENTRANT` from within the
   *   `visit` of `drain` or a listener.
   * @example
   * for (let order = queue.tryPop(); order; order = queue.tryPop()) handle(order);
   */
  tryPop(): T | undefined {
    return this.#consumer.tryPop();
  }

  /**
   * Removes up to `max` records (1 to 65,536), oldest first.
   *
   * @param max The most records: 1 to 65,536.
   * @returns The records, oldest first; an empty array if there is none.
   * @throws as `tryPop`.
   * @example
   * const batch = queue.popMany(128);
   */
  popMany(max: number): T[] {
    return this.#consumer.popMany(max);
  }

  /**
   * Removes the oldest record, and blocks the thread until there is one, for `timeoutMs` (0 to 2,147,483,647) at most.
   * It is for workers. The thread sleeps without using the CPU, and obeys `worker.terminate()` within 100 ms.
   *
   * @param timeoutMs The longest wait, in milliseconds: 0 to 2,147,483,647.
   * @returns The oldest record; undefined if there was none in that time, or the queue is closed and drained.
   * @throws as `tryPop`.
   * @example
   * const order = queue.popSync(1_000);
   */
  popSync(timeoutMs: number): T | undefined {
    return this.#consumer.popSync(timeoutMs);
  }

  /**
   * Calls `visit` with the records in the queue, oldest first, at most `max` of them (default: as many as the queue can
   * hold, so that the call ends however fast other threads push). Allocates nothing. The view is reused, and valid
   * until `visit` returns; `toObject()`, `{ ...view }` and `structuredClone(view)` copy it.
   *
   * A record leaves the queue after its visit, at the latest at the end of its batch of 64. Each record of a queue that
   * overwrites or has a gate leaves the queue before its visit; so may the last of `max` records. If `visit` throws,
   * the record that it was called with has left the queue, and the records behind it stay. With `ttlMs`, deadlines are
   * checked again after a visit that took more than 0.1 ms. `visit` must not consume from this queue.
   *
   * @param visit Called with a view of each record. The view is valid until `visit` returns.
   * @param max The most records. Default: as many as the queue can hold.
   * @returns How many records were visited.
   * @throws as `tryPop`; the error that `visit` throws.
   * @example
   * queue.drain((order) => totals.set(order.sku, (totals.get(order.sku) ?? 0) + 1));
   */
  drain(visit: (record: RecordView<T>) => void, max?: number): number {
    return this.#consumer.drain(visit, max);
  }

  /**
   * Iterates over the records as they come, until the queue is closed and drained. A record leaves the queue when it is
   * handed out. A loop that is left early leaves the other records in the queue, and releases the lease.
   *
   * @returns The iterator, for one loop.
   * @throws as `tryPop`.
   * @example
   * for await (const order of queue) await handle(order);
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.#consumer.iterate();
  }

  /**
   * Hands records to `handler` in arrays of up to `batchSize`, oldest first, until the queue is closed and drained. The
   * next batch is taken when the handler's promise resolves, never ahead; with `concurrency` n, up to n handlers run at
   * a time. The event loop gets a turn after the batch that completes 1,024 records at the latest, and after each
   * handler that delays it by more than 4 ms. A batch belongs to its handler: the records have left the queue.
   *
   * When `signal` aborts, no more records are taken, and the signals of the running handlers abort with its reason. The
   * promise rejects with that reason when these handlers have ended, but after `graceMs` at the latest. The same
   * happens, with the handler's error, when a handler fails or takes longer than `handlerTimeoutMs`. The lease is
   * released in the end, or at once when this object is disposed of.
   *
   * @param handler Called with each batch, and with a context that has its `signal`.
   * @param options `batchSize`, `concurrency`, `handlerTimeoutMs`, `graceMs` and `signal`: see `ConsumeOptions`.
   * @returns A promise that is resolved when the queue is closed and drained.
   * @throws as `tryPop`; TypeError, RangeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_TIMEOUT`.
   * @example
   * await queue.consume(async (orders) => database.insert(orders), { batchSize: 100, concurrency: 4 });
   */
  consume(
    handler: (batch: T[], context: HandlerContext) => unknown,
    options?: ConsumeOptions,
  ): Promise<void> {
    return this.#consumer.consume(handler, options, this.#layer);
  }

  /**
   * Visits records as they come, through one reused view as `drain` does, until the queue is closed and drained. This
   * is the fastest way to consume on an event loop, because no object is made for a record. It is for visits that are
   * short and synchronous. The event loop gets a turn after 4,096 records, and after 4 ms: the clock is looked at
   * within 64 records when visits are slow, and every 512 when they are fast.
   *
   * When `signal` aborts, no more records are visited, and the promise rejects with its reason. When a visit throws,
   * the promise rejects with that error, and the record counts as visited. The lease is released in the end, or at once
   * when this object is disposed of. If the thread is terminated, the next consumer visits up to 64 records again, as
   * with `drain`.
   *
   * @param visit Called with the view of each record. The view shows that record only until `visit` returns: it must
   *   not be kept, nor used after an `await`. What `visit` returns is ignored.
   * @param options `spin` and `signal`: see `ConsumeInPlaceOptions`.
   * @returns A promise that is resolved when the queue is closed and drained.
   * @throws as `tryPop`; TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * await queue.consumeInPlace(({ sku, quantity }) => {
   *   totals.set(sku, (totals.get(sku) ?? 0) + quantity);
   * });
   */
  consumeInPlace(visit: (record: RecordView<T>) => void, options?: ConsumeInPlaceOptions): Promise<void> {
    return this.#consumer.consumeInPlace(visit, options);
  }

  /**
   * Gives the lease up, so that another thread can consume. Does nothing if this object is not the consumer.
   *
   * @throws SluiceError `ERR_SLUICE_REENTRANT` while this object runs a consuming loop, `drain` or a listener.
   * @example
   * queue.releaseLease(); // another thread can consume now
   */
  releaseLease(): void {
    this.#consumer.releaseLease();
  }

  /**
   * Makes a wait for records keep the process alive, as it does from the start.
   *
   * @returns This queue.
   * @throws Nothing.
   * @example
   * queue.ref();
   */
  ref(): this {
    this.#native.setRef(1);
    return this;
  }

  /**
   * Lets the process end during a wait for records.
   *
   * @returns This queue.
   * @throws Nothing.
   * @example
   * queue.unref();
   */
  unref(): this {
    this.#native.setRef(0);
    return this;
  }

  // ---- streams -----------------------------------------------------------------------------------------------

  /**
   * Returns the records as a Web Stream. It takes a record when its reader asks for one. Cancelling it releases the
   * lease.
   *
   * @returns The stream.
   * @throws Nothing at the call; the stream fails as `tryPop` throws.
   * @example
   * for await (const order of queue.readable()) handle(order);
   */
  readable(): ReadableStream<T> {
    return readableOf(this.#consumer.iterate());
  }

  /**
   * Returns a Web Stream that pushes the records written to it, and waits for room. Aborting it ends the wait. With
   * `close`, closing the stream closes the queue.
   *
   * @param options `close`: whether closing the stream closes the queue. Default: false.
   * @returns The stream.
   * @throws TypeError (`ERR_SLUICE_OPTION`); the stream fails as `push` rejects.
   * @example
   * await ReadableStream.from(orders).pipeTo(queue.writable({ close: true }));
   */
  writable(options?: { readonly close?: boolean }): WritableStream<T> {
    const closes = new Options('Queue.writable', options, ['close']).boolean('close', false);
    return writableTo<T>(
      (value, signal) => this.push(value, { signal }),
      () => {
        if (closes) this.close();
      },
    );
  }

  // ---- the end -----------------------------------------------------------------------------------------------

  /**
   * Closes the queue, for all threads and for good: it takes no more records. Records inside can still be consumed, and
   * consuming loops end after the last. Waits for room fail; permits can still be used.
   *
   * @returns Whether this call closed the queue; false if it was closed already.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the queue is disposed of in this thread.
   * @example
   * process.once('SIGTERM', () => queue.close());
   */
  close(): boolean {
    const closed = checkedAnswer(what, this.#native.close()) === 1;
    if (closed) this.#producer.tellClosed();
    return closed;
  }

  /**
   * Waits until the queue is closed and drained: all its records were consumed or dropped, and all permits were used or
   * returned, in any thread. The wait keeps the process alive.
   *
   * @param options `timeoutMs` and `signal` bound the wait.
   * @returns A promise that is resolved when no record is left, and none can come.
   * @throws the signal's reason; SluiceError `ERR_SLUICE_TIMEOUT` (through `timeoutMs`), `ERR_SLUICE_DISPOSED`.
   * @example
   * queue.close();
   * await queue.drained({ timeoutMs: 5_000 });
   */
  async drained(options?: WaitOptions): Promise<void> {
    await this.#drainWaits.drained(options);
  }

  /**
   * Waits for a moment at which the queue is empty: every record pushed until then, also during the call, has been
   * consumed, in any thread, or dropped. The queue stays open. Records that a handler was given have left the queue,
   * though the handler may still be at work: the promise of `consume` waits for handlers, and `gate.stats().inHand`
   * counts their orders. The wait keeps the process alive.
   *
   * @param options `timeoutMs` and `signal` bound the wait.
   * @returns A promise that is resolved after such a moment.
   * @throws the signal's reason; SluiceError `ERR_SLUICE_TIMEOUT` (through `timeoutMs`), `ERR_SLUICE_DISPOSED`.
   * @example
   * await queue.empty();
   */
  async empty(options?: WaitOptions): Promise<void> {
    await this.#drainWaits.empty(options);
  }

  /**
   * Returns counters since creation, over all threads. Times are in nanoseconds.
   *
   * @returns The counters: see `QueueStats`.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the queue is disposed of in this thread.
   * @example
   * const { pushed, depth } = queue.stats();
   */
  stats(): QueueStats {
    return statsOf(what, this.#native, this.#words, this.#isWasm);
  }

  /**
   * Returns how long all records so far have waited, as a histogram; undefined without the option `latency`. It takes
   * 15 kB. The waits of an interval are the difference of two.
   *
   * @returns The histogram.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the queue is disposed of in this thread, `ERR_SLUICE_MEMORY`.
   * @example
   * const before = queue.waits();
   * await work();
   * const recent = before && queue.waits()?.since(before);
   * log.info({ p99Ms: (recent?.quantile(0.99) ?? 0) / 1e6 });
   */
  waits(): WaitHistogram | undefined {
    return waitsOf(what, this.#native);
  }

  /**
   * Calls `listener` on an event: see `QueueEvents`.
   *
   * @param event The name of the event.
   * @param listener Called with the values that `QueueEvents` lists for the event.
   * @returns This queue.
   * @throws TypeError (`ERR_SLUICE_OPTION`); for 'closed' also SluiceError `ERR_SLUICE_MEMORY`, `ERR_SLUICE_DISPOSED`.
   * @example
   * queue.on('dropped', (order, reason) => log.warn({ order, reason }));
   */
  on<Name extends keyof QueueEvents<T>>(
    event: Name,
    listener: (...values: QueueEvents<T>[Name]) => void,
  ): this {
    this.#events.on(event, listener);
    try {
      if (this.#events.wantsClosed) {
        if (this.#attachment.disposed) throw disposed(what); // it would be kept alive for an event that never comes
        this.#producer.listenForClose();
      }
    } catch (error) {
      this.#events.off(event, listener);
      throw error;
    }
    return this;
  }

  /**
   * Stops calling `listener` on an event.
   *
   * @param event The name of the event.
   * @param listener The function that was given to `on`.
   * @returns This queue.
   * @throws TypeError (`ERR_SLUICE_OPTION`) for an event that does not exist.
   * @example
   * queue.off('dropped', report);
   */
  off<Name extends keyof QueueEvents<T>>(
    event: Name,
    listener: (...values: QueueEvents<T>[Name]) => void,
  ): this {
    this.#events.off(event, listener);
    this.#producer.release();
    return this;
  }

  /**
   * Disposes of the queue in this thread, at once. Consuming loops and waits of this object end. Other threads keep the
   * queue.
   */
  [Symbol.dispose](): void {
    this.#attachment.dispose(() => {
      this.#producer.dispose();
      this.#consumer.dispose();
    });
    this.#drainWaits.look();
  }

  /**
   * Closes the queue, waits until it is drained or has no consumer, and until all handlers have ended that `consume` of
   * this object, or of a gate over it, has started. Then disposes of the queue in this thread. A handler must not wait
   * for this, because this waits for the handler.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#attachment.disposed) return;
    this.close();
    this.#consumer.releaseIdle();
    await this.#drainWaits.consumed();
    await this.#consumer.handled();
    this[Symbol.dispose]();
  }

  static {
    insideQueue = (queue) => ({
      native: queue.#native,
      producer: queue.#producer,
      consumer: queue.#consumer,
      layer: queue.#layer,
    });
    attachQueue = Queue.#attach;
  }
}
isOurs(Queue);

function checkRecord(where: string, record: unknown): void {
  if (!(record instanceof RecordType))
    throw optionError(`${where}: record`, 'what record() returns', record, true);
}
