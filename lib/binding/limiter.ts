import type { NativeHandle } from './handle.js';

/** A key as it crosses to native code: see `Limiter`. */
export type NativeKey = string | number | bigint;

export interface NativeLimiter {
  readonly handle: NativeHandle;
  /** What is fixed at creation. */
  readonly keyed: boolean;
  readonly hasBucket: boolean;
  readonly hasDepth: boolean;
  readonly windows: readonly NativeWindow[];
  readonly followsQueue: boolean;
  /** 0: without the adaptive tier. */
  readonly maxEventLoopDelayMs: number;
  readonly adaptiveIntervalMs: number;
  readonly manualClock: boolean;
  allow(cost: number, key?: NativeKey): number;
  tryAcquire(cost: number, key?: NativeKey): number;
  peek(cost: number, key?: NativeKey): number;
  rooms(unused: number, key?: NativeKey): number;
  release(cost: number, key?: NativeKey): number;
  penalize(points: number, key?: NativeKey): number;
  reward(points: number, key?: NativeKey): number;
  /** With the receipt in the staging buffer. */
  refund(cost: number, key?: NativeKey): number;
  reset(unused: number, key?: NativeKey): number;
  block(ns: number, key?: NativeKey): number;
  overload(ns: number): number;
  acquire(cost: number, key?: NativeKey): number;
  tend(waiter: number): number;
  told(): number;
  leave(waiter: number): void;
  onServed(callback: () => void): number;
  keepAlive(alive: number): void;
  configure(changes: object): number;
  stats(): NativeLimiterStats | number;
  limits(): NativeLimits | number;
  dispose(): void;
}

/** What is fixed of a window. */
export interface NativeWindow {
  /** The largest limit of an exact window; 0: it is not exact. */
  readonly logCapacity: number;
  /** Of a calendar window the number of its periods: see `periods`; else 0. */
  readonly every: number;
  readonly timeZone: string;
}

/** The figures of a limiter's tiers as they are now; those of an absent tier are absent. */
interface NativeLimits {
  readonly ratePerSecond?: number;
  readonly burst?: number;
  readonly windows: readonly { readonly limit: number; readonly windowMs?: number }[];
  readonly max?: number;
}

interface NativeLimiterStats {
  readonly allowed: number;
  readonly tokenBucket: number;
  readonly slidingWindow: number;
  readonly queueDepth: number;
  readonly blocked: number;
  readonly adaptive: number;
  readonly waitingLine: number;
  readonly waiting: number;
  readonly dryRefusals: number;
  readonly overflowed: number;
  readonly places: number;
  readonly evicted: number;
  readonly forgotten: number;
  readonly bytes: number;
  readonly inFlight: number;
}
