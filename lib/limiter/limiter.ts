import {
  Attachment,
  arrays,
  checkedAnswer,
  checkedHandle,
  type Handle,
  isMaker,
  limiterStaging,
  type Maker,
  Memory,
  made,
  maker,
  type NativeHandle,
  type NativeKey,
  type NativeLimiter,
  native,
  waits,
} from '../binding/index.js';
import { constructorError, isOurs, optionError, SluiceError } from '../input/index.js';
import { AcquireWaits } from './acquire-waits.js';
import { watchEventLoop } from './adaptive.js';
import {
  type Allowed,
  type Decision,
  type Denied,
  denied,
  isForgiven,
  type Outlook,
  tierName,
  tierOf,
  windowOf,
} from './decision.js';
import { type LimiterStats, type Limits, limitsOf, statsOf } from './figures.js';
import type { Key } from './key.js';
import { refusals } from './notices.js';
import {
  blockMsMax,
  changeOptions,
  creationOptions,
  type LimiterChanges,
  type LimiterOptions,
} from './options.js';
import {
  type AcquireOptions,
  checkCharge,
  checkedRequest,
  checkedWaitRequest,
  type TryAcquireOptions,
} from './request.js';
import { returnsOf } from './returns.js';
import { type Rooms, readRooms } from './rooms.js';
import type { SlidingWindow } from './windows.js';

/** Names a limiter to other threads. Survives structured clone. */
export type LimiterHandle = Handle<'limiter'>;

const what = 'Limiter';
/** Offsets in the staging buffer, in words of 64 bits. */
const answerHalf = limiterStaging.answer / 4; // in words of 32 bits
const retryAfterWord = limiterStaging.retryAfterMs / 8;
const remainingWord = limiterStaging.remaining / 8;
const patienceWord = limiterStaging.patienceMs / 8;
const tightestWord = limiterStaging.tightest / 8;

/**
 * Only other modules of lib/ can call these two. A program cannot reach a native object from a public one, because
 * native code trusts its callers.
 */
export let nativeLimiter: (limiter: Limiter) => NativeLimiter;
export let attachLimiter: (where: string, handle: NativeHandle) => Limiter;

/** Whether decisions hold depth until their `release()`. A depth tier that follows a queue holds none. */
export let holdsDepth: (limiter: Limiter) => boolean;

/**
 * Returns what each tier has left for a key, as if the key had no block and no waiters, and nothing were overloaded.
 * The room of an absent tier means nothing. Charges nothing.
 */
export let roomsOf: (limiter: Limiter, key: Key | undefined) => Rooms;

/**
 * A limiter of up to three tiers (token bucket, windows, depth), shared by all threads of the process. A block or an
 * overload refuses requests, too. The limiter decides all tiers as one step: a refusal by one tier charges none. It has
 * one limit for all, or, with the option `keys`, one for each key. One thread creates it, and other threads attach by
 * its `handle`. It exists as long as a thread has it.
 */
export class Limiter implements Disposable {
  /** Options for a flash sale: 100 per second with bursts of 100, 120 in any second, 50 in flight. */
  static readonly flashSale: LimiterOptions & { readonly slidingWindow: SlidingWindow } = Object.freeze({
    tokenBucket: Object.freeze({ ratePerSecond: 100, burst: 100 }),
    slidingWindow: Object.freeze({ limit: 120, windowMs: 1_000, buckets: 20 }),
    queueDepth: Object.freeze({ max: 50 }),
  });

  readonly #native: NativeLimiter;
  /** The native function `allowOne`, in a field of its own, where V8 finds it faster. */
  readonly #allowOne: NativeLimiter['allowOne'];
  readonly #attachment: Attachment<'limiter'>;
  readonly #keyed: boolean;
  readonly #words: Float64Array;
  readonly #halves: Int32Array;
  readonly #waiting: AcquireWaits;
  /** How many windows there are after the first. */
  readonly #furtherWindows: number;
  readonly #unwatch: (() => void) | undefined;

  private constructor(by: Maker, attach: (staging: ArrayBuffer) => NativeLimiter) {
    if (!isMaker(by)) throw constructorError('Limiter', 'Limiter.create() or Limiter.attach()');
    const staging = new Memory(limiterStaging.bytes);
    this.#words = new arrays.Float64Array(staging);
    this.#halves = new arrays.Int32Array(staging);
    this.#native = attach(staging);
    this.#attachment = new Attachment('limiter', this, this.#native);
    this.#allowOne = this.#native.allowOne;
    this.#keyed = this.#native.keyed;
    this.#furtherWindows = Math.max(0, this.#native.windows.length - 1);
    if (this.#native.maxEventLoopDelayMs > 0) this.#unwatch = watchEventLoop(this, this.#native);
    this.#waiting = new AcquireWaits(this.#native, this.#words, (answer, cost, key) =>
      this.#allowed(answer, cost, key, this.#remaining(cost, key)),
    );
  }

  /** True only for objects that this copy of sluice made, whatever their prototype. */
  static [Symbol.hasInstance](value: unknown): value is Limiter {
    return typeof value === 'object' && value !== null && #native in value;
  }

  /**
   * Creates a limiter with at least one tier.
   *
   * @param options The tiers, and the other options of `LimiterOptions`.
   * @returns The limiter.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option; SluiceError
   *   `ERR_SLUICE_MEMORY`.
   * @example
   * const limiter = Limiter.create({
   *   tokenBucket: { ratePerSecond: 100, burst: 200 },
   *   keys: { max: 100_000 },
   * });
   */
  static create(options: LimiterOptions): Limiter {
    const checked = creationOptions('Limiter.create', options);
    return new Limiter(maker, (staging) => made('Limiter.create', native.createLimiter(checked, staging)));
  }

  /**
   * Attaches to the limiter of another thread by its handle.
   *
   * @param handle The `handle` of the limiter.
   * @returns This thread's object for the same limiter.
   * @throws SluiceError `ERR_SLUICE_HANDLE`, `ERR_SLUICE_LAYOUT`, `ERR_SLUICE_THREADS`, as `Queue.attach`.
   * @example
   * const limiter = Limiter.attach(workerData.limiter);
   */
  static attach(handle: LimiterHandle): Limiter {
    const where = 'Limiter.attach';
    return attachLimiter(where, checkedHandle(where, 'limiter', handle));
  }

  static {
    nativeLimiter = (limiter) => limiter.#native;
    attachLimiter = Limiter.#attach;
    holdsDepth = (limiter) => limiter.#native.hasDepth && !limiter.#native.followsQueue;
    roomsOf = (limiter, key) => readRooms(limiter.#native, limiter.#words, key);
  }

  static #attach(this: void, where: string, handle: NativeHandle): Limiter {
    return new Limiter(maker, (staging) => made(where, native.attachLimiter(handle, staging)));
  }

  /** Names the limiter to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): LimiterHandle {
    return this.#attachment.handle;
  }

  /** Whether each key has its own limit. */
  get keyed(): boolean {
    return this.#keyed;
  }

  /**
   * Allows and charges one more request (or `cost` more: 0 to 2^32 - 1), or refuses it. The depth that it takes is held
   * until a thread, this one or another, calls `release(cost, key)`. If a thread ends without that call, the depth
   * stays held. (The depth that a decision of `tryAcquire` holds is given back when its thread ends.) Makes one native
   * call and allocates nothing.
   *
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @param cost How much the request takes: 0 to 2^32 - 1. Default: 1.
   * @returns Whether the request was allowed and charged.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) for a bad cost or key; SluiceError `ERR_SLUICE_DISPOSED`.
   * @example
   * if (!limiter.allow(request.ip)) return response.writeHead(429).end();
   */
  allow(key?: Key, cost = 1): boolean {
    checkCharge('Limiter.allow', this.#keyed, key, cost, 'cost');
    if (this.#keyed) this.#native.allow(cost, key);
    else if (cost === 1) this.#allowOne();
    else this.#native.allow(cost);
    const answer = this.#halves[answerHalf] as number;
    if (answer === 1 || checkedAnswer(what, answer) === 1) return true;
    if (refusals.hasSubscribers) refusals.publish({ limiter: this, key, cost, decision: undefined });
    return false;
  }

  /**
   * Decides as `allow` does, and returns the decision as an object: for a refusal, the reason and the time to wait.
   *
   * @param options `key` and `cost`.
   * @returns The decision.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) for a bad option; SluiceError `ERR_SLUICE_MEMORY` if there is
   *   no memory to remember the depth that the decision holds, `ERR_SLUICE_DISPOSED`.
   * @example
   * const decision = limiter.tryAcquire({ key: user, cost: 5 });
   * if (!decision.allowed) retryLater(decision.retryAfterMs);
   */
  tryAcquire(options?: TryAcquireOptions): Decision {
    const { key, cost } = checkedRequest('Limiter.tryAcquire', options, this.#keyed);
    const answer = checkedAnswer('Limiter.tryAcquire', this.#native.tryAcquire(cost, key));
    const remaining = this.#words[remainingWord] as number;
    if (answer !== 0 && !isForgiven(answer)) return this.#refused(answer, key, cost);
    return this.#allowed(answer, cost, key, remaining);
  }

  /**
   * Decides as `tryAcquire` does, but waits until the request is allowed. The waiters of a key are served in the order
   * in which they came, over all threads. While one waits, `allow` and `tryAcquire` for that key are refused (except
   * for a cost of 0), so that no call overtakes the waiters. The tier is then 'waiting-line', unless there is an
   * overload or the cost is oversized. When a call is served, its thread is woken; if two threads are woken, the system
   * decides which of them runs first.
   *
   * The promise resolves to a refusal at once, without a wait, if `timeoutMs` cannot be met unless limits change (the
   * waiters before this one are taken into account), if the cost exceeds the limit of a tier, or, with the tier
   * 'waiting-line', if `maxWaiting` callers wait already, or `maxWaitingPerKey` for this key. A wait for a guest (a key
   * for which the table has no place) is also refused if the limiter has no room to remember one more guest that is
   * blocked or waited for. A wait ends with a refusal when `timeoutMs` is over, or earlier, when after a change of
   * limits or a block it cannot be served in that time. A wait for the depth of a queue looks at that depth every 5 ms.
   *
   * @param options `key`, `cost`, `timeoutMs` and `signal`.
   * @returns A promise of the decision.
   * @throws (rejects) the signal's reason on abort, and nothing stays charged; TypeError, RangeError
   *   (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_DISPOSED` if the limiter is disposed of in this thread meanwhile.
   * @example
   * const decision = await limiter.acquire({ key: user, timeoutMs: 2_000 });
   */
  async acquire(options?: AcquireOptions): Promise<Decision> {
    const { key, cost, timeoutMs, signal } = checkedWaitRequest(options, this.#keyed);
    signal?.throwIfAborted();
    this.#words[patienceWord] = timeoutMs;
    const answer = checkedAnswer('Limiter.acquire', this.#native.acquire(cost, key));
    if (answer >= waits) {
      const decision = await this.#waiting.add(answer - waits, cost, key, timeoutMs, signal);
      return decision.allowed ? decision : this.#denied(decision, key, cost);
    }
    if (answer !== 0 && !isForgiven(answer)) return this.#refused(answer, key, cost);
    return this.#allowed(answer, cost, key, this.#remaining(cost, key));
  }

  /**
   * Returns the decision that `tryAcquire` would make now, and charges nothing. In a dry run, returns the decision that
   * `tryAcquire` would make if the limits were enforced.
   *
   * @param options `key` and `cost`.
   * @returns The decision that `tryAcquire` would make now.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) for a bad option; SluiceError `ERR_SLUICE_DISPOSED`.
   * @example
   * const { remaining } = limiter.peek({ key: user });
   */
  peek(options?: TryAcquireOptions): Outlook {
    const { key, cost } = checkedRequest('Limiter.peek', options, this.#keyed);
    const answer = checkedAnswer(what, this.#native.peek(cost, key));
    const remaining = this.#words[remainingWord] as number;
    const retryAfterMs = this.#words[retryAfterWord] as number;
    const tightest = tierName(this.#words[tightestWord] as number);
    if (answer === 0) return { allowed: true, remaining, tightest, oversized: false, retryAfterMs };
    return { remaining, tightest, ...denied(answer, retryAfterMs) };
  }

  /**
   * Gives `cost` back to the depth tier, because the work is done. Does nothing if that tier is absent or follows a
   * queue. The depth that decisions of this object hold is given back first. Therefore call this for the depth that
   * `allow()` took, and a decision's own `release()` for the depth of that decision.
   *
   * @param cost The cost that was allowed. Default: 1.
   * @param key The key that it was allowed for.
   * @throws SluiceError `ERR_SLUICE_RELEASE` if less than `cost` is in flight, as after a second release.
   * @example
   * if (limiter.allow(user)) {
   *   try {
   *     await work();
   *   } finally {
   *     limiter.release(1, user);
   *   }
   * }
   */
  release(cost = 1, key?: Key): void {
    checkCharge('Limiter.release', this.#keyed, key, cost, 'cost');
    if (checkedAnswer(what, this.#native.release(cost, key)) === 1) return;
    throw new SluiceError(
      'ERR_SLUICE_RELEASE',
      `Limiter.release: less than ${cost} is in flight: released twice?`,
    );
  }

  /**
   * Charges `points` (0 to 2^32 - 1) to the token bucket and the windows, whether or not they fit: the token bucket may
   * come to owe up to 2^33 tokens.
   *
   * @param points 0 to 2^32 - 1.
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_DISPOSED`.
   * @example
   * if (!isPasswordRight) limiter.penalty(10, user);
   */
  penalty(points: number, key?: Key): void {
    checkCharge('Limiter.penalty', this.#keyed, key, points, 'points');
    checkedAnswer(what, this.#native.penalize(points, key));
  }

  /**
   * Gives `points` (0 to 2^32 - 1) back to the token bucket and the windows, up to the amount that is charged there,
   * whichever decisions charged it. To give back one decision's own charge, call its `refund()`: for an older decision,
   * `reward` may give back charges that other decisions made since.
   *
   * @param points 0 to 2^32 - 1.
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_DISPOSED`.
   * @example
   * limiter.reward(1, user);
   */
  reward(points: number, key?: Key): void {
    checkCharge('Limiter.reward', this.#keyed, key, points, 'points');
    checkedAnswer(what, this.#native.reward(points, key));
  }

  /**
   * Forgets all charges to the token bucket and the windows, and ends a block. Depth in flight stays counted until it
   * is released.
   *
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @throws TypeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_DISPOSED`.
   * @example
   * limiter.reset(user);
   */
  reset(key?: Key): void {
    checkCharge('Limiter.reset', this.#keyed, key, 1, 'cost');
    checkedAnswer(what, this.#native.reset(0, key));
  }

  /**
   * Refuses every request for the key for `ms` (0 to 31 days; 0 ends a block) from now. The tier is then 'blocked',
   * unless there is an overload, a call of `acquire` waits for the key, or the cost is oversized.
   *
   * @param key The key to block; undefined for a limiter without keys.
   * @param ms For how long, in milliseconds: 0 to 31 days.
   * @returns Whether the key is blocked, or the block is ended. False: nothing was done, because the key is a guest
   *   (the table has no place for it), and the limiter has no room to remember one more guest that is blocked or waited
   *   for.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_DISPOSED`.
   * @example
   * limiter.block(addressKey(request.ip), 60_000);
   */
  block(key: Key | undefined, ms: number): boolean {
    checkCharge('Limiter.block', this.#keyed, key, 1, 'cost');
    if (typeof ms !== 'number' || !(ms >= 0 && ms <= blockMsMax)) {
      throw optionError('Limiter.block: ms', `a number from 0 to ${blockMsMax}`, ms, typeof ms !== 'number');
    }
    return checkedAnswer(what, this.#native.block(Math.round(ms * 1e6), key)) === 1;
  }

  /**
   * Changes limits for all threads at one instant. Nothing is reset: a token bucket still owes what it owed, at the new
   * rate; a window keeps its counts (with a new `windowMs`, the requests of an old bucket count as if they had come at
   * its end, or now if that is earlier); depth in flight stays. If the rate, the warm-up or a window's length changes,
   * the call takes time in proportion to `keys.max`, during which other threads' decisions wait.
   *
   * @param changes The new figures. A figure that is left out stays as it is.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option or an absent tier; SluiceError
   *   `ERR_SLUICE_MEMORY`, `ERR_SLUICE_DISPOSED`.
   * @example
   * limiter.configure({ tokenBucket: { ratePerSecond: 50 } });
   */
  configure(changes: LimiterChanges): void {
    const where = 'Limiter.configure';
    checkedAnswer(where, this.#native.configure(changeOptions(where, changes, this.#native)));
  }

  /**
   * Returns the figures of the tiers as they are now, for all threads.
   *
   * @returns The figures: see `Limits`.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the limiter is disposed of in this thread.
   * @example
   * const { ratePerSecond, burst } = limiter.limits();
   */
  limits(): Limits {
    return limitsOf(this.#native, this.#words);
  }

  /**
   * Returns counters of decisions since creation, over all threads.
   *
   * @returns The counters: see `LimiterStats`.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the limiter is disposed of in this thread.
   * @example
   * const { allowed } = limiter.stats();
   */
  stats(): LimiterStats {
    return statsOf(this.#native, this.#words);
  }

  /**
   * Disposes of the limiter in this thread, at once: ends the waits of this object, and gives back the depth that its
   * decisions hold. Other threads keep the limiter.
   */
  [Symbol.dispose](): void {
    this.#unwatch?.();
    this.#attachment.dispose(() => this.#waiting.end());
  }

  /**
   * Returns how much the tightest tier would still allow. Does not overwrite the receipt of the last decision, which is
   * in the staging buffer.
   */
  #remaining(cost: number, key: NativeKey | undefined): number {
    this.#native.peek(cost, key);
    return this.#words[remainingWord] as number;
  }

  #refused(answer: number, key: Key | undefined, cost: number): Denied {
    return this.#denied(denied(answer, this.#words[retryAfterWord] as number), key, cost);
  }

  /** Publishes a refusal, and returns it. */
  #denied(decision: Denied, key: Key | undefined, cost: number): Denied {
    if (refusals.hasSubscribers) refusals.publish({ limiter: this, key, cost, decision });
    return decision;
  }

  /**
   * Makes the decision of a request that native code has just allowed. `answer` is 0, or the refusal that a dry run has
   * passed over.
   */
  #allowed(answer: number, cost: number, key: NativeKey | undefined, remaining: number): Allowed {
    const charged = answer === 0;
    const { release, refund } = returnsOf(
      this.#native,
      this.#halves,
      this.#furtherWindows,
      cost,
      key,
      charged,
    );
    if (charged) return { allowed: true, remaining, release, refund };
    return {
      allowed: true,
      remaining,
      wouldRefuse: tierOf(answer),
      window: windowOf(answer),
      release,
      refund,
    };
  }
}
isOurs(Limiter);
