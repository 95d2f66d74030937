import type { limiterFunctions } from './contract.js';
import type { NativeHandle } from './handle.js';

/** A key of a limiter, as it is passed to native code: see `Key`. */
export type NativeKey = string | number | bigint;

interface LimiterProperties {
  readonly handle: NativeHandle;
  /** This property and those below are fixed at creation. */
  readonly keyed: boolean;
  readonly hasBucket: boolean;
  readonly hasDepth: boolean;
  readonly windows: readonly NativeWindow[];
  readonly followsQueue: boolean;
  /** 0 if the limiter has no adaptive tier. */
  readonly maxEventLoopDelayMs: number;
  readonly adaptiveIntervalMs: number;
  readonly manualClock: boolean;
}

interface LimiterCalls {
  /** Writes its answer to the staging buffer, as `allowOne` does. */
  allow(cost: number, key?: NativeKey): void;
  /** For a limiter without keys. */
  allowOne(): void;
  tryAcquire(cost: number, key?: NativeKey): number;
  peek(cost: number, key?: NativeKey): number;
  rooms(unused: number, key?: NativeKey): number;
  release(cost: number, key?: NativeKey): number;
  penalize(points: number, key?: NativeKey): number;
  reward(points: number, key?: NativeKey): number;
  /** Takes the receipt from the staging buffer. */
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
  /** Writes the figures to the staging buffer and returns 0; so does `limits`. */
  stats(): number;
  limits(): number;
  dispose(): void;
}

export type NativeLimiter = LimiterProperties & Pick<LimiterCalls, (typeof limiterFunctions)[number]>;

/** The properties of a window that are fixed at creation. */
export interface NativeWindow {
  /** The largest limit of an exact window; 0 if the window is not exact. */
  readonly logCapacity: number;
  /** The number of a calendar window's period: see `periods`. 0 for a sliding window. */
  readonly every: number;
  readonly timeZone: string;
}
