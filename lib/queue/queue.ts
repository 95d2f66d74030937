import type { ReadableStream, WritableStream } from 'node:stream/web';
import {
  Attachment,
  arrays,
  checkedAnswer,
  checkedHandle,
  type Handle,
  isMaker,
  type Maker,
  Memory,
  made,
  maker,
  type NativeQueue,
  native,
  overflows,
  type QueueStaging,
  queueLimits,
  queueStaging,
  stagedRecords,
} from '../binding/index.js';
import { constructorError, isOurs, Options, optionError } from '../input/index.js';
import { RecordType, type RecordView } from '../record/index.js';
import type { Batcher } from './batcher.js';
import { Consumer } from './consumer.js';
import { DrainWaits } from './drain-waits.js';
import { Events, type QueueEvents } from './events.js';
import type { HandlerContext } from './handlers.js';
import {
  type AttachOptions,
  type ConsumeOptions,
  checkedOverflow,
  checkedQueue,
  type PushOptions,
  type QueueOptions,
  type WaitOptions,
} from './options.js';
import type { Permit } from './permit.js';
import { Producer } from './producer.js';
import { type QueueStats, statsOf } from './stats.js';
import { readableOf, writableTo } from './streams.js';

/** Names a queue to other threads. Survives structured clone. */
export type QueueHandle = Handle<'queue'>;

const what = 'Queue';

/** What others in lib/ build on. Nothing leads to it from a queue object: native code trusts its callers. */
export interface QueueInside<T> {
  readonly native: NativeQueue;
  readonly producer: Producer<T>;
  readonly consumer: Consumer<T>;
}
export let insideQueue: <T>(queue: Queue<T>) => QueueInside<T>;

/**
 * A bounded queue of typed records in native memory, shared by all threads of the process: any number of
 * producers, one consumer. Order is first in, first out per producer, and across producers that of their claims;
 * with lanes, within each lane.
 *
 * The memory is reserved at creation and never grows (see the option `commit`). An object belongs to the thread that
 * made it; other threads attach by its `handle`. A thread lets go of the queue when it ends, on `dispose`, or, if the
 * handle was never read, when the object is garbage collected; the memory goes with the last thread that does.
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
  readonly #drainWaits: DrainWaits;
  readonly #words: Float64Array;

  private constructor(
    by: Maker,
    record: RecordType<T>,
    attach: (staging: QueueStaging) => NativeQueue,
    where: string,
    onOverflow: unknown,
  ) {
    if (!isMaker(by)) throw constructorError('Queue', 'Queue.create() or Queue.attach()');
    const staging = {
      in: new Memory(stagedRecords * record.bytes),
      out: new Memory(stagedRecords * record.bytes),
      dropped: new Memory(queueLimits.droppedAtOnce * record.bytes),
      words: new Memory(queueStaging.bytes),
    };
    this.record = record;
    this.#words = new arrays.Float64Array(staging.words);
    this.#native = attach(staging);
    this.#attachment = new Attachment('queue', this, this.#native);
    this.capacity = this.#native.capacity;
    let listener: ((record: T) => void) | undefined;
    try {
      listener = checkedOverflow<T>(where, onOverflow, this.#native.overflow === overflows.caller);
    } catch (error) {
      this.#native.dispose();
      throw error;
    }
    this.#producer = new Producer(this.#native, record, staging, this.#events, listener);
    this.#consumer = new Consumer(this.#native, record, staging, this.#events);
    this.#drainWaits = new DrainWaits(this.#native, this.#producer);
  }

  /** Only what was made here, whatever its prototype says. */
  static [Symbol.hasInstance](value: unknown): value is Queue<unknown> {
    return typeof value === 'object' && value !== null && #native in value;
  }

  /**
   * A new queue of `record`s.
   *
   * @param record The type of its records.
   * @param options Its capacity, and what else `QueueOptions` lists.
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
    const { native: given, onOverflow } = checkedQueue(options);
    const described = { ...given, recordBytes: record.bytes, schema: record.schema, start: first };
    return new Queue(
      maker,
      record,
      (staging) => made(where, native.createQueue(described, staging)),
      where,
      onOverflow,
    );
  }

  /**
   * The queue of another thread (or of this one), by its handle.
   *
   * @param record The type of its records: fields of the same names and types, in the same order.
   * @param handle The `handle` of the queue.
   * @param options `onOverflow`, needed if the queue's overflow policy is 'caller'.
   * @returns This thread's object for the same queue.
   * @throws TypeError (`ERR_SLUICE_OPTION`) if it is no queue's handle; SluiceError `ERR_SLUICE_HANDLE` if the queue
   *   is gone, `ERR_SLUICE_SCHEMA` if it was created with another record, `ERR_SLUICE_THREADS` if 256 threads
   *   have it attached; however often one does, it counts once.
   * @example
   * const queue = Queue.attach(Order, workerData.queue);
   */
  static attach<T>(record: RecordType<T>, handle: QueueHandle, options?: AttachOptions<T>): Queue<T> {
    const where = 'Queue.attach';
    checkRecord(where, record);
    const checked = checkedHandle(where, 'queue', handle);
    const onOverflow = new Options(where, options, ['onOverflow']).get('onOverflow');
    return new Queue(
      maker,
      record,
      (staging) => made(where, native.attachQueue(checked, record.schema, staging)),
      where,
      onOverflow,
    );
  }

  /** Names the queue to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): QueueHandle {
    return this.#attachment.handle;
  }

  /** Records in the queue now, those being written or drained included. */
  get depth(): number {
    return checkedAnswer(what, this.#native.depth());
  }

  /** Lanes of priority: see `QueueOptions.lanes`. */
  get lanes(): number {
    return this.#native.lanes;
  }

  /** Whether the queue takes no more records. */
  get closed(): boolean {
    return checkedAnswer(what, this.#native.closed()) === 1;
  }

  // ---- producing ---------------------------------------------------------------------------------------------

  /**
   * Adds a record. False if the queue is full, or others wait for room already. One native call; allocates nothing.
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
   * Adds the records of `list` in order while there is room. Returns how many were added: the first so many.
   *
   * @param list The records, oldest first.
   * @param options `lane` (0 is the first) and `ttlMs` of this record.
   * @returns How many were added: always a prefix of `list`.
   * @throws as `tryPush`, the error naming the place in the list, too (`index`). A bad value anywhere in the list is
   *   found before any is added; if the queue is closed in the middle of a long list, the number added so far is
   *   returned.
   * @example
   * const added = queue.tryPushMany(orders);
   * const left = orders.slice(added);
   */
  tryPushMany(list: readonly T[], options?: PushOptions): number {
    return this.#producer.tryPushMany(list, options);
  }

  /**
   * Adds a record, waiting for room if need be: first come, first served over all threads of the process. While
   * somebody waits, `tryPush` finds no room in that lane. The wait keeps the process alive. A waiter that times out,
   * is aborted or terminated leaves nothing behind.
   *
   * @param value The record: a value for each field. It is copied at the call.
   * @param options `lane` (0 is the first) and `ttlMs` of this record. `timeoutMs` and `signal` bound the wait.
   * @returns A promise that is resolved when the record was added.
   * @throws as `tryPush`; the signal's reason; SluiceError `ERR_SLUICE_TIMEOUT` if there was no room within
   *   `timeoutMs`, `ERR_SLUICE_WAITERS` if `maxWaiting` wait already, `ERR_SLUICE_CLOSED` if the queue is closed
   *   while waiting: the record was then not added.
   * @example
   * await queue.push(order, { timeoutMs: 100 });
   */
  push(value: T, options?: PushOptions & WaitOptions): Promise<void> {
    return this.#producer.push(value, options);
  }

  /**
   * As `push`, but blocks the thread, for workers: true when the record was added, false if there was no room within
   * `timeoutMs` (0 to 2,147,483,647). Sleeps without using the CPU and obeys `worker.terminate()` within 100 ms.
   *
   * @param value The record: a value for each field.
   * @param timeoutMs The longest wait, in milliseconds: 0 to 2,147,483,647.
   * @param options `lane` (0 is the first) and `ttlMs` of this record.
   * @returns Whether the record was added.
   * @throws as `push`.
   * @example
   * if (!queue.pushSync(order, 50)) dropped += 1;
   */
  pushSync(value: T, timeoutMs: number, options?: PushOptions): boolean {
    return this.#producer.pushSync(value, timeoutMs, options);
  }

  /**
   * Takes room for `count` records ahead (1 to 16,383, at most the capacity), waiting for it as `push` does.
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
   * As `reserve`, without waiting: undefined if there is no room for all of them now.
   *
   * @param count How many records: 1 to 16,383, at most the capacity.
   * @param options `lane`: 0, the first, unless told otherwise.
   * @returns A permit for that many records, or undefined.
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
   * Gathers records and publishes up to `max` (1 to 4,096; default 64) with one native call, at the latest at the
   * end of this turn of the event loop: one-at-a-time pushing at nearly the price of `tryPushMany`. From the first
   * record to that call up to `max` places are taken; what is pushed by other means meanwhile comes first.
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
   * Removes the oldest record; undefined if there is none now, or if all that was there at the call had to be dropped
   * (expired, shed, overtaken). The first call makes this object the consumer until it is disposed of, its thread ends,
   * or `releaseLease` is called.
   *
   * @returns The oldest record, or undefined.
   * @throws SluiceError `ERR_SLUICE_CONSUMER` if another one is the consumer; `ERR_SLUICE_REENTRANT` from within the
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
   * Removes the oldest record, blocking the thread until there is one, for workers: undefined if there was none
   * within `timeoutMs` (0 to 2,147,483,647), or the queue is closed and drained. Sleeps without using the CPU and
   * obeys `worker.terminate()` within 100 ms.
   *
   * @param timeoutMs The longest wait, in milliseconds: 0 to 2,147,483,647.
   * @returns The oldest record, or undefined.
   * @throws as `tryPop`.
   * @example
   * const order = queue.popSync(1_000);
   */
  popSync(timeoutMs: number): T | undefined {
    return this.#consumer.popSync(timeoutMs);
  }

  /**
   * Calls `visit` with the records in the queue, oldest first, at most `max` of them (default: as many as the queue
   * can hold, so that it ends however fast others push), and returns how many. The view is reused: it is good until
   * `visit` returns; `toObject()`, `{ ...view }` and `structuredClone(view)` copy. Allocates nothing. A record leaves
   * the queue after its visit, at the latest with the end of its batch of 64; the last of `max`, and each record of a
   * queue that overwrites or has a gate, leaves it before. If `visit` throws, the record it was called with is gone and
   * the others stay. With `ttlMs`, deadlines are looked at again after a visit that took more than 0.1 ms. `visit` must
   * not consume from this queue.
   *
   * @param visit Called with a view of each record. The view is good until `visit` returns.
   * @param max The most records. Default: as many as the queue can hold.
   * @returns How many records were visited.
   * @throws as `tryPop`; whatever `visit` throws.
   * @example
   * queue.drain((order) => totals.set(order.sku, (totals.get(order.sku) ?? 0) + 1));
   */
  drain(visit: (record: RecordView<T>) => void, max: number = this.capacity * this.lanes): number {
    return this.#consumer.drain(visit, max);
  }

  /**
   * Each record as it comes, until the queue is closed and drained. A record leaves the queue when it is handed out;
   * leaving the loop early leaves the rest in the queue and releases the lease.
   * @throws as `tryPop`.
   */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.#consumer.iterate();
  }

  /**
   * Hands records to `handler` in arrays of up to `batchSize`, oldest first, until the queue is closed and drained.
   * The next batch is taken when the handler's promise resolves, never ahead; with `concurrency` n, up to n run at a
   * time. At least every 1,024 records, and after each handler that leaves the loop more than 4 ms behind, the event
   * loop gets a turn. A batch belongs to the handler: it has left the queue.
   *
   * When `signal` aborts, nothing more is taken, and the signals that the handlers were given abort with its reason;
   * the promise rejects with it when the handlers that run have ended, but after `graceMs` at the latest. When a
   * handler fails, or takes longer than `handlerTimeoutMs`, likewise with its error. The lease is released in the end;
   * when this object is disposed of, at once.
   *
   * @param handler Called with each batch. It gets a `signal` in its context.
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
    return this.#consumer.consume(handler, options);
  }

  /**
   * Gives up being the consumer, so that another thread can be. Nothing happens if this object is not.
   *
   * @throws Nothing.
   * @example
   * queue.releaseLease(); // another thread can consume now
   */
  releaseLease(): void {
    this.#consumer.releaseLease();
  }

  /**
   * A wait for records keeps the process alive: this is so from the start.
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
   * A wait for records does not keep the process alive.
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
   * The records as a Web Stream, which takes one when its reader asks for one. Cancelling it releases the lease.
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
   * A Web Stream that pushes what is written to it, waiting for room; aborting it ends the wait. With `close`, the
   * queue is closed when the stream is.
   *
   * @param options `close`: whether the end of the stream closes the queue. Default: false.
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
   * Takes no more records; those inside can still be consumed, and consuming loops end after the last. Who waits for
   * room is told; permits can still be used. For all threads, for good. Returns whether this call closed it.
   *
   * @returns Whether this call closed it; false if it was closed already.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once this thread has let go of it.
   * @example
   * process.once('SIGTERM', () => queue.close());
   */
  close(): boolean {
    const closed = checkedAnswer(what, this.#native.close()) === 1;
    if (closed) this.#producer.tellClosed();
    return closed;
  }

  /**
   * Resolves when the queue is closed and everything in it has been consumed, in whatever thread. The wait keeps the
   * process alive.
   *
   * @param options `timeoutMs` and `signal` bound the wait.
   * @returns A promise that is resolved when nothing is left.
   * @throws the signal's reason; SluiceError `ERR_SLUICE_TIMEOUT` (through `timeoutMs`), `ERR_SLUICE_DISPOSED`.
   * @example
   * queue.close();
   * await queue.drained({ timeoutMs: 5_000 });
   */
  async drained(options?: WaitOptions): Promise<void> {
    await this.#drainWaits.drained(options);
  }

  /**
   * Resolves when there was a moment, during the call, at which everything that was pushed had left the queue: consumed
   * in whatever thread, or dropped. The queue stays open. What a handler was given has left the queue, though the
   * handler may still be at work (`consume` and `gate.stats().inHand` tell of those). Records that are pushed meanwhile
   * count, too. The wait keeps the process alive.
   *
   * @param options `timeoutMs` and `signal` bound the wait.
   * @returns A promise that is resolved when nothing is left.
   * @throws the signal's reason; SluiceError `ERR_SLUICE_TIMEOUT` (through `timeoutMs`), `ERR_SLUICE_DISPOSED`.
   * @example
   * await queue.empty();
   */
  async empty(options?: WaitOptions): Promise<void> {
    await this.#drainWaits.empty(options);
  }

  /**
   * Counters since creation, over all threads. Times are in nanoseconds.
   *
   * @returns The counters: see `QueueStats`.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once this thread has let go of it.
   * @example
   * const { pushed, depth } = queue.stats();
   */
  stats(): QueueStats {
    return statsOf(what, this.#native, this.#words);
  }

  /**
   * Calls `listener` on an event: see `QueueEvents`.
   *
   * @param event The name of the event.
   * @param listener Called with what `QueueEvents` lists for the event.
   * @returns This queue.
   * @throws TypeError (`ERR_SLUICE_OPTION`), SluiceError
   * (`ERR_SLUICE_MEMORY`).
   * @example
   * queue.on('dropped', (order, reason) => log.warn({ order, reason }));
   */
  on<Name extends keyof QueueEvents<T>>(
    event: Name,
    listener: (...values: QueueEvents<T>[Name]) => void,
  ): this {
    this.#events.on(event, listener);
    try {
      if (this.#events.wantsClosed) this.#producer.listenForClose();
    } catch (error) {
      this.#events.off(event, listener);
      throw error;
    }
    return this;
  }

  /**
   * Calls `listener` on the event no more.
   *
   * @param event The name of the event.
   * @param listener As given to `on`.
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

  /** Lets go of the queue in this thread, at once. Consuming loops and waits of this object end. Others keep it. */
  [Symbol.dispose](): void {
    this.#producer.dispose();
    this.#consumer.dispose();
    this.#attachment.dispose();
    this.#drainWaits.look();
  }

  /** Closes the queue, waits until it is drained, as long as somebody consumes it, and lets go of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#attachment.disposed) return;
    this.close();
    this.#consumer.releaseIdle();
    await this.#drainWaits.consumed();
    this[Symbol.dispose]();
  }

  static {
    insideQueue = (queue) => ({
      native: queue.#native,
      producer: queue.#producer,
      consumer: queue.#consumer,
    });
  }
}
isOurs(Queue);

function checkRecord(where: string, record: unknown): void {
  if (!(record instanceof RecordType))
    throw optionError(`${where}: record`, 'what record() returns', record, true);
}
