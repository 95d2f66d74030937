// The model of a limiter. Times are nanoseconds of the limiter's clock, which begins at 0.

import { CalendarAuditor, type CalendarWindow } from './calendar-window.js';
import { TokenBucketAuditor } from './token-bucket.js';
import { type Admitted, TrueWindow } from './true-window.js';
import { type SlidingWindow, WindowAuditor, windowNs } from './window.js';

export type WindowOption = SlidingWindow | CalendarWindow;
export interface WindowChanges {
  readonly limit?: number;
  readonly windowMs?: number;
}
export interface Limits {
  readonly tokenBucket?: { readonly ratePerSecond: number; readonly burst: number };
  readonly slidingWindow?: WindowOption | readonly WindowOption[];
  readonly queueDepth?: { readonly max: number };
}
export interface Changes {
  readonly tokenBucket?: { readonly ratePerSecond?: number; readonly burst?: number };
  readonly slidingWindow?: WindowChanges | readonly WindowChanges[];
  readonly queueDepth?: { readonly max?: number };
}
/** One of a limiter's windows, of any kind. */
interface Window {
  limit: number;
  /** Returns undefined if `cost` does not fit, otherwise where it was counted. */
  take(cost: number, now: number): number | undefined;
  giveBack(counted: number, cost: number, now: number): void;
  charge(cost: number, now: number): void;
  /** Forgets the newest admissions, up to a sum of `cost`. */
  forget(cost: number, now: number): void;
  clear(): void;
  /** Whether earlier charges can no longer be given back once the window's length is `windowMs`. */
  isChangedBy(windowMs: number | undefined): boolean;
  changeLength(windowNs: number, now: number): void;
  remaining(now: number): number;
  /** Nanoseconds until `cost` fits. */
  wait(cost: number, now: number): number;
  leaveTimes(now: number): number[];
  /** The limits as `limits()` shows them. */
  readonly limits: object;
}
/** The tier that refuses. */
export interface Refusal {
  readonly tier: string;
  /** Which window refuses, if `tier` is 'sliding-window'. */
  readonly window: number | undefined;
}
export interface Waiter {
  readonly name: number;
  readonly cost: number;
  /** Infinity means that the wait has no deadline. */
  readonly deadline: number;
}
/** What an admission charged, so that it can be given back. */
export interface Charge {
  readonly cost: number;
  /** Where each window has counted it. */
  readonly counted: ReadonlyArray<number | undefined>;
  readonly slot: bigint | undefined;
  /**
   * The era of the charge. A reset begins a new era, as do some changes of limits; nothing is given back in a later
   * era.
   */
  readonly era: number;
  readonly admitted: readonly Admitted[];
}

export function by(tier: string, window?: number): Refusal {
  return { tier, window };
}

/** Returns a list: the list given, or one that contains the object given, or an empty one if nothing is given. */
export function listed<T extends object>(given: T | readonly T[] | undefined): readonly T[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? (given as readonly T[]) : [given as T];
}

/** The limits that all requests share, or those of one key. */
export class LimitAuditor {
  readonly bucket: TokenBucketAuditor | undefined;
  readonly windows: readonly Window[];
  depthMax: number | undefined;
  inFlight = 0;
  blockedUntil = 0;
  waiters: Waiter[] = [];
  readonly #trueWindows: readonly TrueWindow[];
  #era = 0;

  /**
   * `beganMs` is the limiter's time 0, in milliseconds since 1970. `queueLength` returns the length of the queue whose
   * depth is compared in place of what is in flight.
   */
  constructor(
    { tokenBucket, slidingWindow, queueDepth }: Limits,
    beganMs: number,
    readonly queueLength?: () => number,
  ) {
    if (tokenBucket !== undefined) {
      this.bucket = new TokenBucketAuditor(tokenBucket.ratePerSecond, tokenBucket.burst);
    }
    this.windows = listed(slidingWindow).map((option) =>
      'every' in option ? new CalendarAuditor(option, beganMs) : new WindowAuditor(option),
    );
    const sliding = this.windows.filter((window) => window instanceof WindowAuditor);
    this.#trueWindows = sliding.map((window) => new TrueWindow(window));
    this.depthMax = queueDepth?.max;
  }

  /** Returns the first tier that could not let `cost` through even if nothing were charged. */
  exceeded(cost: number): Refusal | undefined {
    if (this.bucket !== undefined && cost > this.bucket.burst) return by('token-bucket');
    const window = this.windows.findIndex(({ limit }) => cost > limit);
    if (window !== -1) return by('sliding-window', window);
    return this.depthMax !== undefined && cost > this.depthMax ? by('queue-depth') : undefined;
  }
  /** Returns the tier that refuses `cost`, and charges nothing. */
  refuses(cost: number, now: number): Refusal | undefined {
    if (now < this.blockedUntil) return by('blocked');
    if (cost === 0) return undefined;
    if (this.bucket !== undefined && this.bucket.wait(cost, now) !== 0) return by('token-bucket');
    const window = this.windows.findIndex((one) => one.wait(cost, now) !== 0);
    if (window !== -1) return by('sliding-window', window);
    if (this.depthMax !== undefined && this.depth + cost > this.depthMax) return by('queue-depth');
    return undefined;
  }
  take(cost: number, now: number): Charge {
    const slot = this.bucket?.take(cost, now);
    const counted = this.windows.map((window) => window.take(cost, now));
    this.enterDepth(cost);
    const admitted = this.#trueWindows.map((window) => window.admit(cost, now));
    return { cost, counted, slot, era: this.#era, admitted };
  }
  /** Undoes the charge in the same instant, as if the request had never been made. */
  giveBack(charge: Charge, now: number): void {
    this.bucket?.giveBack(charge.cost);
    this.#uncount(charge, now);
    this.release(charge.cost);
    for (const window of this.#trueWindows) window.forget(charge.cost);
  }
  /** Gives back what is still in force of the charge, but leaves the depth alone. */
  refund(charge: Charge, now: number): void {
    const { cost, slot, era, admitted } = charge;
    if (era !== this.#era) return;
    if (slot !== undefined) this.bucket?.refund(cost, slot, now);
    this.#uncount(charge, now);
    for (const [i, window] of this.#trueWindows.entries()) window.giveBack(admitted[i] as Admitted, cost);
  }
  /** The number that the depth tier compares with its limit. */
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
    for (const window of this.windows) window.charge(points, now);
  }
  reward(points: number, now: number): void {
    this.bucket?.reward(points);
    for (const window of this.windows) window.forget(points, now);
    for (const window of this.#trueWindows) window.forget(points);
  }
  reset(): void {
    this.#era++;
    this.blockedUntil = 0;
    this.bucket?.clear();
    for (const window of [...this.windows, ...this.#trueWindows]) window.clear();
  }
  configure({ tokenBucket, slidingWindow, queueDepth }: Changes, now: number): void {
    const newRate = tokenBucket?.ratePerSecond !== undefined && this.bucket !== undefined;
    const changes = listed(slidingWindow);
    if (newRate || this.windows.some((window, i) => window.isChangedBy(changes[i]?.windowMs))) this.#era++;
    if (tokenBucket?.ratePerSecond !== undefined) this.bucket?.changeRate(tokenBucket.ratePerSecond, now);
    if (tokenBucket?.burst !== undefined && this.bucket) this.bucket.burst = tokenBucket.burst;
    for (const [i, window] of this.windows.entries()) {
      const { limit = window.limit, windowMs } = changes[i] ?? {};
      const trueWindow = this.#trueWindows.find((one) => one.window === window);
      if (windowMs !== undefined) {
        trueWindow?.forgetBefore(now);
        window.changeLength(windowNs(windowMs), now);
      }
      if (limit !== window.limit) trueWindow?.clear();
      window.limit = limit;
    }
    if (queueDepth?.max !== undefined) this.depthMax = queueDepth.max;
  }

  remaining(now: number): number {
    if (now < this.blockedUntil) return 0;
    const depth = this.depthMax === undefined ? Infinity : Math.max(0, this.depthMax - this.depth);
    const ofWindows = this.windows.map((window) => window.remaining(now));
    return Math.min(this.bucket?.remaining(now) ?? Infinity, depth, ...ofWindows);
  }
  retryAfter(cost: number, now: number): number {
    if (this.depthMax !== undefined && cost > this.depthMax) return Infinity;
    const blocked = Math.max(0, this.blockedUntil - now);
    if (cost === 0) return blocked;
    const ofWindows = this.windows.map((window) => window.wait(cost, now));
    return Math.max(blocked, this.bucket?.wait(cost, now) ?? 0, ...ofWindows);
  }

  /** Returns, for each true window, the cost admitted within its length until `now`, and its limit. */
  inTrueWindows(now: number): ReadonlyArray<{ readonly admitted: number; readonly limit: number }> {
    return this.#trueWindows.map((window) => ({ admitted: window.sum(now), limit: window.window.limit }));
  }
  dueTimes(now: number): number[] {
    const times = [this.blockedUntil, ...this.windows.flatMap((window) => window.leaveTimes(now))];
    if (this.bucket !== undefined) times.push(now + this.bucket.wait(1, now));
    return times;
  }

  #uncount({ cost, counted }: Charge, now: number): void {
    for (const [i, window] of this.windows.entries()) {
      const at = counted[i];
      if (at !== undefined) window.giveBack(at, cost, now);
    }
  }
}
