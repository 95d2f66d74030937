// What a limiter promises. Times in nanoseconds of the limiter, which begins at 0.

import { TokenBucketAuditor } from './token-bucket.js';
import { WindowAuditor } from './window.js';

export interface Limits {
  readonly tokenBucket?: { readonly ratePerSecond: number; readonly burst: number };
  readonly slidingWindow?: {
    readonly limit: number;
    readonly windowMs: number;
    readonly buckets?: number;
    readonly exact?: boolean;
  };
  readonly queueDepth?: { readonly max: number };
}
export interface Changes {
  readonly tokenBucket?: { readonly ratePerSecond?: number; readonly burst?: number };
  readonly slidingWindow?: { readonly limit?: number; readonly windowMs?: number };
  readonly queueDepth?: { readonly max?: number };
}
/** What refuses. */
export interface Refusal {
  readonly tier: string;
  /** Of 'sliding-window' which one. */
  readonly window: number | undefined;
}
export interface Waiter {
  readonly name: number;
  readonly cost: number;
  /** Infinity: it waits for as long as it takes. */
  readonly deadline: number;
}
/** What an admission charged, for giving it back. */
export interface Charge {
  readonly cost: number;
  readonly bucket: number | undefined;
  readonly slot: bigint | undefined;
  /** Nothing is given back in another one. */
  readonly era: number;
  readonly admitted: Admitted;
}
interface Admitted {
  readonly at: number;
  cost: number;
}

export function by(tier: string, window?: number): Refusal {
  return { tier, window };
}

export function windowNs(windowMs: number): number {
  return Math.round(windowMs * 1e6);
}

/** The limit of all, or of one key. */
export class LimitAuditor {
  readonly bucket: TokenBucketAuditor | undefined;
  readonly window: WindowAuditor | undefined;
  depthMax: number | undefined;
  inFlight = 0;
  blockedUntil = 0;
  waiters: Waiter[] = [];
  /** Every admission that still counts, to see that no true window holds more than its limit. */
  #admitted: Admitted[] = [];
  #era = 0;

  /** `queueLength`: of the queue whose depth is compared in place of what is in flight. */
  constructor(
    { tokenBucket, slidingWindow, queueDepth }: Limits,
    readonly queueLength?: () => number,
  ) {
    if (tokenBucket !== undefined) {
      this.bucket = new TokenBucketAuditor(tokenBucket.ratePerSecond, tokenBucket.burst);
    }
    if (slidingWindow !== undefined) {
      const { limit, windowMs, buckets = 20, exact = false } = slidingWindow;
      this.window = new WindowAuditor(limit, windowNs(windowMs), exact ? 0 : buckets);
    }
    this.depthMax = queueDepth?.max;
  }

  /** The first tier that could not let `cost` through if nothing were charged. */
  exceeded(cost: number): Refusal | undefined {
    if (this.bucket !== undefined && cost > this.bucket.burst) return by('token-bucket');
    if (this.window !== undefined && cost > this.window.limit) return by('sliding-window', 0);
    return this.depthMax !== undefined && cost > this.depthMax ? by('queue-depth') : undefined;
  }
  /** Which tier refuses `cost`, charging nothing. */
  refuses(cost: number, now: number): Refusal | undefined {
    if (now < this.blockedUntil) return by('blocked');
    if (cost === 0) return undefined;
    if (this.bucket !== undefined && this.bucket.wait(cost, now) !== 0) return by('token-bucket');
    if (this.window !== undefined && this.window.wait(cost, now) !== 0) return by('sliding-window', 0);
    if (this.depthMax !== undefined && this.depth + cost > this.depthMax) return by('queue-depth');
    return undefined;
  }
  take(cost: number, now: number): Charge {
    const slot = this.bucket?.take(cost, now);
    const bucket = this.window?.take(cost, now);
    this.enterDepth(cost);
    const admitted = { at: now, cost };
    this.#admitted.push(admitted);
    return { cost, bucket, slot, era: this.#era, admitted };
  }
  /** As if it had never been asked for, in the same instant. */
  giveBack({ cost, bucket }: Charge, now: number): void {
    this.bucket?.giveBack(cost);
    if (bucket !== undefined) this.window?.giveBack(bucket, cost, now);
    this.release(cost);
    this.#unadmit(cost, now);
  }
  /** Gives back what of the charge is still in force; the depth is left alone. */
  refund({ cost, bucket, slot, era, admitted }: Charge, now: number): void {
    if (era !== this.#era) return;
    if (slot !== undefined) this.bucket?.refund(cost, slot, now);
    if (bucket !== undefined) this.window?.giveBack(bucket, cost, now);
    const own = Math.min(cost, admitted.cost);
    admitted.cost -= own;
    this.#unadmit(cost - own, now);
  }
  /** What the depth tier compares with its limit. */
  get depth(): number {
    return this.queueLength?.() ?? this.inFlight;
  }
  get #countsInFlight(): boolean {
    return this.depthMax !== undefined && this.queueLength === undefined;
  }
  enterDepth(cost: number): void {
    if (this.#countsInFlight) this.inFlight += cost;
  }
  release(cost: number): boolean {
    if (!this.#countsInFlight) return true;
    if (this.inFlight < cost) return false;
    this.inFlight -= cost;
    return true;
  }
  penalize(points: number, now: number): void {
    this.bucket?.charge(points, now);
    this.window?.charge(points, now);
  }
  reward(points: number, now: number): void {
    this.bucket?.reward(points);
    this.window?.forget(points, now);
    this.#unadmit(points, now);
  }
  reset(): void {
    this.#era++;
    this.blockedUntil = 0;
    this.bucket?.clear();
    this.window?.clear();
    this.#admitted = [];
  }
  configure({ tokenBucket, slidingWindow, queueDepth }: Changes, now: number): void {
    const newRate = tokenBucket?.ratePerSecond !== undefined && this.bucket !== undefined;
    if (newRate || this.window?.isChangedBy(slidingWindow?.windowMs)) this.#era++;
    if (tokenBucket?.ratePerSecond !== undefined) this.bucket?.changeRate(tokenBucket.ratePerSecond, now);
    if (tokenBucket?.burst !== undefined && this.bucket) this.bucket.burst = tokenBucket.burst;
    if (slidingWindow?.windowMs !== undefined && this.window) {
      // What the old window has forgotten the new one cannot remember.
      this.#admitted = this.#admitted.filter(({ at }) => at + (this.window as WindowAuditor).windowNs > now);
      this.window.changeLength(windowNs(slidingWindow.windowMs), now);
    }
    if (slidingWindow?.limit !== undefined && this.window) {
      this.window.limit = slidingWindow.limit;
      this.#admitted = [];
    }
    if (queueDepth?.max !== undefined) this.depthMax = queueDepth.max;
  }

  remaining(now: number): number {
    if (now < this.blockedUntil) return 0;
    const depth = this.depthMax === undefined ? Infinity : Math.max(0, this.depthMax - this.depth);
    return Math.min(this.bucket?.remaining(now) ?? Infinity, this.window?.remaining(now) ?? Infinity, depth);
  }
  retryAfter(cost: number, now: number): number {
    if (this.depthMax !== undefined && cost > this.depthMax) return Infinity;
    const blocked = Math.max(0, this.blockedUntil - now);
    if (cost === 0) return blocked;
    return Math.max(blocked, this.bucket?.wait(cost, now) ?? 0, this.window?.wait(cost, now) ?? 0);
  }

  /** Admissions of the last true window, against its limit. */
  inTrueWindow(now: number): { readonly admitted: number; readonly limit: number } {
    const length = this.window?.windowNs ?? 0;
    this.#admitted = this.#admitted.filter(({ at }) => at + length > now);
    const admitted = this.#admitted.reduce((sum, { cost }) => sum + cost, 0);
    return { admitted, limit: this.window?.limit ?? Infinity };
  }
  dueTimes(now: number): number[] {
    const times = [this.blockedUntil, ...(this.window?.leaveTimes() ?? [])];
    if (this.bucket !== undefined) times.push(now + this.bucket.wait(1, now));
    return times;
  }

  #unadmit(cost: number, now: number): void {
    let left = cost;
    for (const one of this.#admitted.toReversed()) {
      const given = Math.min(left, one.cost);
      one.cost -= given;
      left -= given;
    }
    this.inTrueWindow(now);
  }
}
