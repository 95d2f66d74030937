import { performance } from 'node:perf_hooks';
import {
  arrays,
  CLOSED,
  DISPOSED,
  disposed,
  ENDED_WAITER,
  failed,
  type HotCalls,
  LINE_FULL,
  type NativeQueue,
  NO_RESOURCES,
  overflows,
  type QueueStaging,
  queueLimits,
  queueStaging,
  SERVED_WAITER,
  stagedRecords,
  Weak,
} from '../binding/index.js';
import { isInteger, Options, optionError, SluiceError } from '../input/index.js';
import type { Codec, RecordType } from '../record/index.js';
import { Batcher } from './batcher.js';
import type { Events } from './events.js';
import { Inlet } from './inlet.js';
import { checkedTtl, checkedWait, checkTimeout, type PushOptions, type WaitOptions } from './options.js';
import { Permit } from './permit.js';
import { closed, RoomWaits } from './room-waits.js';

/**
 * The longest time, in milliseconds, that a native wait lasts before JavaScript, and with it `worker.terminate()`, gets
 * its turn.
 */
export const sliceMs = 50;
/** A wait as long as it takes. */
const endless = { timeoutMs: undefined, signal: undefined };
/** Producers with a wait or a listener: kept here, even if the program drops its reference to the queue object. */
const awaited = new Set<Producer<unknown>>();

/** What tryPush() needs, together, because V8 needs fewer bytecodes for it than for private fields. */
interface Quick<T> extends HotCalls {
  readonly encode: Codec<T>['encode'];
}

/** The producer's half of a queue object. Its methods are documented on `Queue`. */
export class Producer<T> {
  readonly #native: NativeQueue;
  readonly #inlet: Inlet<T>;
  readonly #quick: Quick<T>;
  readonly #record: RecordType<T>;
  readonly #words: BigUint64Array;
  readonly #events: Events<T>;
  /**
   * Called with a T. If the parameter were declared as T, a Queue<Order> would not be assignable to a Queue<unknown>.
   */
  readonly #onOverflow: ((record: never) => void) | undefined;
  readonly #waiters: RoomWaits;
  #listening = false;
  #waits = 0;
  #onRing: (() => void) | undefined;

  constructor(
    native: NativeQueue,
    calls: HotCalls,
    record: RecordType<T>,
    staging: QueueStaging,
    events: Events<T>,
    onOverflow: ((record: T) => void) | undefined,
  ) {
    this.#native = native;
    this.#inlet = new Inlet(native, calls, record, staging);
    this.#quick = { ...calls, encode: this.#inlet.codec.encode };
    this.#record = record;
    this.#words = new arrays.BigUint64Array(staging.buffer, staging.words, queueStaging.bytes / 8);
    this.#events = events;
    this.#onOverflow = native.overflow === overflows.caller ? onOverflow : undefined;
    this.#waiters = new RoomWaits(native, native.lanes, (by) => this.keepAlive(by));
  }

  /** Writes `value` where the next native push takes it from. */
  stage(value: T): void {
    this.#quick.encode(value);
  }

  /** Returns the value that was staged last. */
  staged(): T {
    return this.#inlet.staged();
  }

  tryPush(value: T, options: PushOptions | undefined): boolean {
    if (options !== undefined) return this.tryPushTo(value, options);
    const quick = this.#quick;
    quick.encode(value);
    const answer = quick.push(quick.cell, quick.low, quick.high);
    return !answer || this.pushedOtherwise(answer, value);
  }

  /** Called with each answer but success. Not a private method: V8 needs more bytecodes for the call of one. */
  pushedOtherwise(answer: number, value: T): boolean {
    const pushed = this.#inlet.pushedOtherwise(answer);
    return pushed === undefined || this.#notPushed(pushed, value, 0);
  }

  tryPushMany(list: readonly T[], options: PushOptions | undefined): number {
    // The `catch` is here, because beside the call of the encoder it cost a nanosecond for each record (measured).
    try {
      return this.#pushAll(list, options);
    } catch (error) {
      throw this.#inlet.listed(error, list);
    }
  }

  #pushAll(list: readonly T[], options: PushOptions | undefined): number {
    if (!Array.isArray(list)) throw optionError('Queue.tryPushMany: list', 'an array of records', list, true);
    const where = 'Queue.tryPushMany';
    const given = options === undefined ? undefined : new Options(where, options, ['lane', 'ttlMs']);
    const lane = given === undefined ? 0 : this.#lane(given);
    this.#stageTtl(where, given);
    const length = list.length;
    // With more than one native call, every value is checked before the first is added.
    if (length > stagedRecords) this.#inlet.checkAll(list);
    let added = 0;
    while (added < length) {
      const count = Math.min(stagedRecords, length - added);
      this.#inlet.stageMany(list, added, count);
      const hasTtl = this.#stageTtl(where, given);
      const taken = this.#inlet.pushMany(count, lane, hasTtl, length - added - count);
      if (taken < 0) {
        if (added === 0) throw this.#error(taken);
        return added;
      }
      added += taken;
      if (taken < count) break;
    }
    this.#fullFrom(list, added, lane);
    return added;
  }

  async push(value: T, options: (PushOptions & WaitOptions) | undefined): Promise<void> {
    if (options !== undefined) return this.#pushBy(value, options);
    this.stage(value);
    const pushed = this.pushStaged();
    if (pushed !== undefined) await this.#waitToPush(pushed, 0, 0, endless);
  }

  /** Pushes the staged record to lane 0. Returns undefined for success; otherwise why not. */
  pushStaged(): number | undefined {
    return this.#inlet.pushStaged();
  }

  async #pushBy(value: T, options: PushOptions & WaitOptions): Promise<void> {
    const where = 'Queue.push';
    const given = new Options(where, options, ['lane', 'ttlMs', 'timeoutMs', 'signal']);
    const wait = checkedWait(given);
    wait.signal?.throwIfAborted();
    const lane = this.#lane(given);
    this.stage(value);
    const hasTtl = this.#stageTtl(where, given);
    const pushed = this.#native.pushTo(lane, hasTtl, wait.timeoutMs === 0 ? 0 : 1);
    if (pushed !== undefined) await this.#waitToPush(pushed, lane, hasTtl, wait);
  }

  /** Waits until the staged record, which found no room (the native answer `pushed`), is in the queue. */
  async #waitToPush(
    pushed: number,
    lane: number,
    hasTtl: number,
    { timeoutMs, signal }: ReturnType<typeof checkedWait>,
  ): Promise<void> {
    if (pushed < 0) throw this.#error(pushed);
    if (timeoutMs === 0) {
      this.#events.full(lane);
      throw this.#timedOut(timeoutMs);
    }
    // The staged record gets its waiter before any code of the program runs, such as a method of the signal, which
    // could stage another record.
    this.#listen();
    const waiter = this.#joined(this.#native.waitPush(lane, hasTtl), lane);
    await this.#waiters.wait(waiter, lane, timeoutMs, signal);
  }

  pushSync(value: T, timeoutMs: number, options: PushOptions | undefined): boolean {
    const where = 'Queue.pushSync';
    checkTimeout(where, timeoutMs);
    const given = new Options(where, options, ['lane', 'ttlMs']);
    const lane = this.#lane(given);
    this.stage(value);
    const hasTtl = this.#stageTtl(where, given);
    const pushed = this.#native.pushTo(lane, hasTtl, timeoutMs === 0 ? 0 : 1);
    if (pushed === undefined) return true;
    if (pushed < 0) throw this.#error(pushed);
    if (timeoutMs === 0) {
      this.#events.full(lane);
      return false;
    }
    const waiter = this.#joined(this.#native.waitPush(lane, hasTtl), lane);
    const deadline = performance.now() + timeoutMs;
    try {
      for (;;) {
        const state = this.#native.waiterState(waiter);
        if (state === SERVED_WAITER || state === ENDED_WAITER) {
          this.#native.retire(waiter);
          if (state === ENDED_WAITER) throw closed();
          return true;
        }
        const left = deadline - performance.now();
        if (left <= 0) {
          if (this.#native.leave(waiter) === 1) return false;
        } else {
          this.#native.awaitServed(Math.min(sliceMs, Math.ceil(left)));
        }
      }
    } finally {
      // The wait above may have consumed a ring of the bell that was meant for waits in the event loop.
      if (this.#listening) queueMicrotask(() => this.#heard());
    }
  }

  tryReserve(count: number, lane: number | undefined): Permit<T> | undefined {
    const checked = this.#lane(new Options('Queue.tryReserve', { lane }, ['lane']));
    this.#checkCount('Queue.tryReserve', count);
    const taken = this.#native.reserve(checked, count);
    if (taken < 0) throw this.#error(taken);
    if (taken === count) return new Permit(this, checked, count, undefined);
    if (taken > 0) this.returnReserved(checked, taken);
    return undefined;
  }

  async reserve(
    count: number,
    options: ({ readonly lane?: number } & WaitOptions) | undefined,
  ): Promise<Permit<T>> {
    const where = 'Queue.reserve';
    this.#checkCount(where, count);
    const given = new Options(where, options, ['lane', 'timeoutMs', 'signal']);
    const { timeoutMs, signal } = checkedWait(given);
    signal?.throwIfAborted();
    const lane = this.#lane(given);
    const taken = this.#native.reserve(lane, count);
    if (taken < 0) throw this.#error(taken);
    if (taken === count) return new Permit(this, lane, count, signal);
    if (taken > 0) this.returnReserved(lane, taken);
    if (timeoutMs === 0) throw this.#timedOut(timeoutMs);
    this.#listen();
    const waiter = this.#joined(this.#native.waitReserve(lane, count), lane);
    await this.#waiters.wait(waiter, lane, timeoutMs, signal);
    if (signal?.aborted !== true) return new Permit(this, lane, count, signal);
    // The signal aborted after native code had served the waiter.
    this.returnReserved(lane, count);
    throw signal.reason;
  }

  /** Publishes the staged record, and uses one permit for it. */
  sendReserved(lane: number): void {
    this.#checked(this.#native.pushReserved(lane, 1, 0, 0));
  }

  returnReserved(lane: number, count: number): void {
    // Does nothing if the object is disposed of: native code gave the permits back then.
    this.#native.pushReserved(lane, 0, count, 0);
  }

  batcher(options: { readonly max?: number; readonly lane?: number } | undefined): Batcher<T> {
    const given = new Options('Queue.batcher', options, ['max', 'lane']);
    const max = given.integer('max', 1, 4_096, 64);
    const lane = this.#lane(given);
    return new Batcher(this.#native, this.#record, lane, max, (value) => this.#full(value, lane));
  }

  /** Makes this thread's event loop report when the queue is closed: at once, if it is closed already. */
  listenForClose(): void {
    this.#listen();
    this.hold();
    if (this.#native.closed() === 1) queueMicrotask(() => this.tellClosed());
  }

  /** Tells the listeners that the queue is closed, once. */
  tellClosed(): void {
    this.#events.closed();
    this.release();
  }

  /** Makes this thread's event loop call `onRing` when the queue may be drained or empty. */
  listen(onRing: () => void): void {
    this.#listen();
    this.#onRing = onRing;
  }

  /** Adds `by` to the number of waits. While it is not 0, this thread's event loop stays alive. */
  keepAlive(by: 1 | -1): void {
    const before = this.#waits;
    this.#waits += by;
    if ((before === 0) === (this.#waits === 0)) return;
    this.#native.keepAlive(this.#waits === 0 ? 0 : 1);
    if (this.#waits > 0) this.hold();
    else this.release();
  }

  /** Keeps the queue object from being garbage-collected while a caller waits or listens for the end. */
  hold(): void {
    awaited.add(this as Producer<unknown>);
  }

  release(): void {
    if (this.#waits === 0 && !this.#events.wantsClosed) awaited.delete(this as Producer<unknown>);
  }

  /** Called before native code detaches from the queue. */
  dispose(): void {
    this.#waiters.reject(disposed('Queue'));
    awaited.delete(this as Producer<unknown>);
  }

  #listen(): void {
    if (this.#listening) return;
    // Native code keeps this function alive until the queue object is disposed of, so the function must not keep that
    // object alive.
    const self = new Weak(this);
    const heard = (): void => {
      const producer = self.deref();
      if (producer !== undefined) producer.#heard();
    };
    this.#checked(this.#native.onServed(heard));
    this.#listening = true;
  }

  #heard(): void {
    this.#waiters.served();
    this.#onRing?.();
    if (this.#native.closed() === 1) this.tellClosed();
  }

  tryPushTo(value: T, options: PushOptions): boolean {
    const given = new Options('Queue.tryPush', options, ['lane', 'ttlMs']);
    const lane = this.#lane(given);
    this.stage(value);
    const hasTtl = this.#stageTtl('Queue.tryPush', given);
    const pushed = this.#native.pushTo(lane, hasTtl, 0);
    return pushed === undefined || this.#notPushed(pushed, value, lane);
  }

  #notPushed(answer: number, value: T, lane: number): false {
    if (answer < 0) throw this.#error(answer);
    this.#full(value, lane);
    return false;
  }

  #full(value: T, lane: number): void {
    this.#events.full(lane);
    this.#onOverflow?.(value as never);
  }

  /** Reports each record that found no room, even if a report throws; then throws the first error. */
  #fullFrom(list: readonly T[], first: number, lane: number): void {
    const failures: unknown[] = [];
    for (let i = first; i < list.length; i++) {
      try {
        this.#full(list[i] as T, lane);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #joined(waiter: number, lane: number): number {
    if (waiter === LINE_FULL) {
      this.#events.waiterRefused(lane);
      throw new SluiceError('ERR_SLUICE_WAITERS', 'Queue: maxWaiting callers already wait for room');
    }
    return this.#checked(waiter);
  }

  #lane(given: Options): number {
    return given.integer('lane', 0, this.#native.lanes - 1, 0);
  }

  /** Call it after the record is staged, because the record's getters may push, too. */
  #stageTtl(where: string, given: Options | undefined): number {
    if (given === undefined || !given.has('ttlMs')) return 0;
    if (!this.#native.expires) {
      throw optionError(
        `${where}: ttlMs`,
        'undefined (the queue was created without ttlMs)',
        given.get('ttlMs'),
        true,
      );
    }
    const ttlMs = checkedTtl(given);
    this.#words[queueStaging.ttlNs / 8] =
      ttlMs === Number.POSITIVE_INFINITY ? 0xffff_ffff_ffff_ffffn : BigInt(Math.round(ttlMs * 1e6));
    return 1;
  }

  #checkCount(where: string, count: unknown): void {
    const most = Math.min(queueLimits.permits, this.#native.capacity);
    if (typeof count === 'number' && isInteger(count) && count >= 1 && count <= most) return;
    throw optionError(
      `${where}: count`,
      `a whole number from 1 to ${most}`,
      count,
      typeof count !== 'number',
    );
  }

  #timedOut(timeoutMs: number): SluiceError {
    return new SluiceError('ERR_SLUICE_TIMEOUT', `Queue: no room within ${timeoutMs} ms`);
  }

  #checked(answer: number): number {
    if (answer < 0) throw this.#error(answer);
    return answer;
  }

  #error(answer: number): SluiceError {
    if (answer === CLOSED) return closed();
    return answer === DISPOSED || answer === NO_RESOURCES
      ? failed('Queue', answer)
      : new SluiceError('ERR_SLUICE_HANDLE', `Queue: answered ${answer}`);
  }
}
