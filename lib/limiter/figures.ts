import {
  bytesOf,
  checkedAnswer,
  figuresOf,
  limiterFigures,
  limiterStaging,
  limitFigures,
  type NativeLimiter,
  refusalFigures,
  windowFigures,
} from '../binding/index.js';
import type { Tier } from './decision.js';
import { periodOf, type WindowLimits, windowLengthMs } from './windows.js';

/** The limits of a limiter's tiers as they are now; those of an absent tier are absent. */
export interface Limits {
  /** Tokens that come back each second; absent without a token bucket. */
  readonly ratePerSecond?: number;
  /** The most tokens that the token bucket holds; absent without a token bucket. */
  readonly burst?: number;
  /** The limit of the first window; absent without a window. */
  readonly limit?: number;
  /** The length of the first window in milliseconds; absent without a window, and for a calendar window. */
  readonly windowMs?: number;
  /** The limits of all windows; empty without one. */
  readonly windows: readonly WindowLimits[];
  /** The `max` of the depth tier; absent without a depth tier. */
  readonly max?: number;
}

/** Figures of a limiter, over all threads. Decisions are counted since its creation. */
export interface LimiterStats {
  /** Requests that were allowed, without those that only a dry run allowed. */
  readonly allowed: number;
  /** Refusals by tier, those of dry runs included. */
  readonly refused: Readonly<Record<Tier, number>>;
  /** Refusals that a dry run allowed all the same. */
  readonly dryRefusals: number;
  /** Calls of `acquire` that wait now, in all threads. */
  readonly waiting: number;
  /** The sum of the costs that the depth tier counts now, over all keys. */
  readonly inFlight: number;
  /** Keys that the limiter remembers now; 0 without keys. */
  readonly keys: number;
  /** Keys that were forgotten so that another key could have their place. */
  readonly evicted: number;
  /**
   * Decisions about guests: keys for which there was no place, because too many owed something (docs/guide/limiter.md).
   */
  readonly overflowed: number;
  /** Guests that were forgotten although they owed something, because newer ones needed their place. */
  readonly forgotten: number;
  /** Memory reserved at creation. Without the option `commit`, pages that were never written are not resident. */
  readonly bytes: number;
}

/** See `Limiter.limits`. */
export function limitsOf(native: NativeLimiter, staging: Float64Array): Limits {
  checkedAnswer('Limiter', native.limits());
  const at = limiterStaging.figures;
  const { ratePerSecond, burst, max } = figuresOf(limitFigures, staging, at);
  // Makes an array of this realm: that of native code is of the main realm.
  const windows = Array.from(native.windows, (fixed, i): WindowLimits => {
    const after = bytesOf(limitFigures) + i * bytesOf(windowFigures);
    const { limit, windowMs } = figuresOf(windowFigures, staging, at + after);
    const every = periodOf(fixed);
    return every === undefined ? { limit, windowMs } : { limit, every, timeZone: fixed.timeZone };
  });
  const first = windows.length === 0 ? undefined : windows[0]; // [0] of an empty array would read Array.prototype
  return {
    ...(native.hasBucket ? { ratePerSecond, burst } : {}),
    windows,
    ...(native.hasDepth ? { max } : {}),
    ...(first === undefined ? {} : lengthOf(first)),
  };
}

/**
 * Returns the members of `Limits` that describe the first window: `limit`, and `windowMs` unless it is a calendar
 * window.
 */
function lengthOf(window: WindowLimits): { readonly limit: number; readonly windowMs?: number } {
  const { limit } = window;
  return Object.hasOwn(window, 'windowMs') ? { limit, windowMs: windowLengthMs(window) } : { limit };
}

/** See `Limiter.stats`. */
export function statsOf(native: NativeLimiter, staging: Float64Array): LimiterStats {
  checkedAnswer('Limiter', native.stats());
  const at = limiterStaging.figures;
  const { allowed, ...others } = figuresOf(limiterFigures, staging, at);
  const refused = figuresOf(refusalFigures, staging, at + bytesOf(limiterFigures));
  return { allowed, refused, ...others };
}
