import { type ManualClock, nativeClock } from '../clock/index.js';
import { optionError, SluiceError } from '../errors.js';
import {
  alive,
  checkedHandle,
  DISPOSED,
  disposed,
  type Handle,
  made,
  type NativeHandle,
  type NativeLimiter,
  native,
  publicHandle,
} from '../native.js';
import { Options } from '../options.js';
import { Queue } from '../queue/index.js';

export type LimiterHandle = Handle<'limiter'>;

/** The tiers in the order in which they are asked; the numbers are those of `Tier` in native/core/limiter.h. */
export type Tier = 'token-bucket' | 'sliding-window' | 'queue-depth';
const tiers: readonly Tier[] = ['token-bucket', 'sliding-window', 'queue-depth'];

export interface LimiterOptions {
  /** `ratePerSecond` (0.000001 to 10,000,000) tokens come back each second, up to `burst` (1 to 2^32 - 1). */
  readonly tokenBucket?: { readonly ratePerSecond: number; readonly burst: number };
  /**
   * At most `limit` (1 to 1,073,741,823) in any window of `windowMs` (1 to 86,400,000), wherever it begins. Counted
   * in `buckets` (1 to 1,000; default 20): a request is remembered for up to 1/buckets longer than the window, so
   * steady throughput is about that much below the limit.
   */
  readonly slidingWindow?: { readonly limit: number; readonly windowMs: number; readonly buckets?: number };
  /**
   * At most `max` (1 to 2^32 - 1) in flight: held until `release()`. With `queue`, the queue's depth is compared
   * with `max` instead, and nothing needs to be released.
   */
  readonly queueDepth?: { readonly max: number; readonly queue?: Queue<never> | Queue<unknown> };
  /** A manual clock for tests. Default: the machine's monotonic clock. */
  readonly clock?: ManualClock;
}

export type Decision =
  | {
      readonly allowed: true;
      /** What the tightest tier would still allow now. */
      readonly remaining: number;
      /** Gives back what the depth tier holds for this decision: once; further calls do nothing. */
      release(): void;
    }
  | {
      readonly allowed: false;
      /** The first tier that refused. */
      readonly tier: Tier;
      /**
       * Milliseconds until every tier with a clock would allow it, if nobody else asked: 0 if only the depth tier
       * refuses (no clock tells when work ends), Infinity if the cost exceeds a tier's whole size.
       */
      readonly retryAfterMs: number;
    };

export interface LimiterStats {
  readonly allowed: number;
  /** Refusals by tier. */
  readonly refused: Readonly<Record<Tier, number>>;
  /** What the depth tier counts now. */
  readonly inFlight: number;
}

const what = 'Limiter';
const costMax = 0xffff_ffff;
/** Words of the staging buffer: see native/addon/limiter.cc. */
const retryAfterWord = 0;
const remainingWord = 1;

/** Objects whose handle was read: they stay, so that another thread can attach, until disposed of. */
const pinned = new Set<Limiter>();

/**
 * A limiter of up to three tiers, decided as one step and shared by all threads of the process: a refusal by one
 * tier charges none. Created once; other threads attach by its `handle`. It lives as long as some thread holds it.
 */
export class Limiter implements Disposable {
  /** Options for a flash sale: 100 per second with bursts of 100, 120 in any second, 50 in flight. */
  static readonly flashSale: LimiterOptions = Object.freeze({
    tokenBucket: Object.freeze({ ratePerSecond: 100, burst: 100 }),
    slidingWindow: Object.freeze({ limit: 120, windowMs: 1_000, buckets: 20 }),
    queueDepth: Object.freeze({ max: 50 }),
  });

  readonly #native: NativeLimiter;
  readonly #words: Float64Array;

  private constructor(attach: (staging: ArrayBuffer) => NativeLimiter) {
    const staging = new ArrayBuffer(64);
    this.#words = new Float64Array(staging);
    this.#native = attach(staging);
  }

  /**
   * A new limiter with at least one tier.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
   */
  static create(options: LimiterOptions): Limiter {
    const checked = checkedOptions(options);
    return new Limiter((staging) => made('Limiter.create', native.createLimiter(checked, staging)));
  }

  /** The limiter of another thread, by its handle. @throws SluiceError `ERR_SLUICE_HANDLE`, `ERR_SLUICE_THREADS`. */
  static attach(handle: LimiterHandle): Limiter {
    return Limiter.attachNative(checkedHandle('Limiter.attach', 'limiter', handle));
  }

  /** @internal */
  static attachNative(handle: NativeHandle): Limiter {
    return new Limiter((staging) => made('Limiter.attach', native.attachLimiter(handle, staging)));
  }

  /** Names the limiter to other threads: survives structured clone (`workerData`, `postMessage`). */
  get handle(): LimiterHandle {
    pinned.add(this);
    return publicHandle('limiter', this.#native.handle);
  }

  /**
   * Whether one more (or `cost` more: 1 to 2^32 - 1) is allowed now; if so, it is charged, and what the depth tier
   * counts is held until `release(cost)`. One native call; allocates nothing. `key` must be undefined: this limiter
   * is one global limit.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) for a bad cost or a key.
   */
  allow(key?: undefined, cost = 1): boolean {
    this.#check('allow', key, cost);
    return this.#checked(this.#native.allow(cost)) === 1;
  }

  /** As `allow`, with the reason and the time to wait. */
  tryAcquire(options?: { readonly key?: undefined; readonly cost?: number }): Decision {
    let cost = 1;
    if (options !== undefined) {
      cost = new Options('Limiter.tryAcquire', options, ['cost']).integer('cost', 1, costMax, 1);
    }
    const tier = this.#checked(this.#native.tryAcquire(cost));
    if (tier === 0) {
      let held = true;
      return {
        allowed: true,
        remaining: this.#words[remainingWord] as number,
        release: () => {
          if (held) this.#native.release(cost);
          held = false;
        },
      };
    }
    return { allowed: false, tier: tierName(tier), retryAfterMs: this.#words[retryAfterWord] as number };
  }

  /**
   * Gives `cost` back to the depth tier: the work is done. Nothing happens if that tier is absent or follows a queue.
   * @throws SluiceError `ERR_SLUICE_RELEASE` if less than that is in flight: something was released twice.
   */
  release(cost = 1, key?: undefined): void {
    this.#check('release', key, cost);
    if (this.#checked(this.#native.release(cost)) === 1) return;
    throw new SluiceError(
      'ERR_SLUICE_RELEASE',
      `Limiter.release: less than ${cost} is in flight: released twice?`,
    );
  }

  /** Decisions since creation, over all threads. */
  stats(): LimiterStats {
    const stats = alive(what, this.#native.stats());
    return {
      allowed: stats.allowed,
      refused: {
        'token-bucket': stats.tokenBucket,
        'sliding-window': stats.slidingWindow,
        'queue-depth': stats.queueDepth,
      },
      inFlight: stats.inFlight,
    };
  }

  /** Lets go of the limiter in this thread, at once. Other threads keep it. */
  [Symbol.dispose](): void {
    this.#native.dispose();
    pinned.delete(this);
  }

  /** @internal The native object, for those that build on this limiter. */
  get native(): NativeLimiter {
    return this.#native;
  }

  #check(method: string, key: unknown, cost: unknown): void {
    if (key !== undefined) {
      throw optionError(`Limiter.${method}: key`, 'undefined (this limiter has no keys)', key, true);
    }
    if (typeof cost === 'number' && cost >= 1 && cost >>> 0 === cost) return;
    throw optionError(
      `Limiter.${method}: cost`,
      `a whole number from 1 to ${costMax}`,
      cost,
      typeof cost !== 'number',
    );
  }

  #checked(answer: number): number {
    if (answer === DISPOSED) throw disposed(what);
    return answer;
  }
}

/** The name of a tier by its native number. */
export function tierName(tier: number): Tier {
  return tiers[tier - 1] as Tier;
}

function checkedOptions(options: LimiterOptions): object {
  const where = 'Limiter.create';
  const given = new Options(where, options, ['tokenBucket', 'slidingWindow', 'queueDepth', 'clock']);
  const bucket = given.nested('tokenBucket', ['ratePerSecond', 'burst']);
  const window = given.nested('slidingWindow', ['limit', 'windowMs', 'buckets']);
  const depth = given.nested('queueDepth', ['max', 'queue']);
  if (bucket === undefined && window === undefined && depth === undefined) {
    throw optionError(where, 'at least one of tokenBucket, slidingWindow, queueDepth', options, true);
  }
  return {
    tokenBucket: bucket && {
      ratePerSecond: bucket.number('ratePerSecond', 1e-6, 1e7),
      burst: bucket.integer('burst', 1, costMax),
    },
    slidingWindow: window && {
      limit: window.integer('limit', 1, 2 ** 30 - 1),
      windowMs: window.number('windowMs', 1, 86_400_000),
      buckets: window.integer('buckets', 1, 1_000, 20),
    },
    queueDepth: depth && {
      max: depth.integer('max', 1, costMax),
      queue: depthQueue(where, depth.get('queue')),
    },
    clock: nativeClock(where, given.get('clock')),
  };
}

function depthQueue(where: string, queue: unknown): NativeHandle | undefined {
  if (queue === undefined) return undefined;
  if (!(queue instanceof Queue)) throw optionError(`${where}: queueDepth: queue`, 'a Queue', queue, true);
  return queue.native.handle;
}
