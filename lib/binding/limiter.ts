import type { limiterFunctions } from './contract.js';
import type { NativeHandle } from './handle.js';

/** A key as it crosses to native code: see `Limiter`. */
export type NativeKey = string | number | bigint;

interface LimiterProperties {
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
}

interface LimiterCalls {
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
  /** 0, and the figures in the staging, as of the next one. */
  stats(): number;
  limits(): number;
  dispose(): void;
}

export type NativeLimiter = LimiterProperties & Pick<LimiterCalls, (typeof limiterFunctions)[number]>;

/** What is fixed of a window. */
export interface NativeWindow {
  /** The largest limit of an exact window; 0: it is not exact. */
  readonly logCapacity: number;
  /** Of a calendar window the number of its periods: see `periods`; else 0. */
  readonly every: number;
  readonly timeZone: string;
}
