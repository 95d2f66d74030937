import { alive, type NativeLimiter } from '../binding/index.js';
import { bare } from '../input/index.js';
import type { Tier } from './decision.js';
import { periodOf, type WindowLimits } from './windows.js';

/** The figures of a limiter's tiers as they are now; those of an absent tier are absent. */
export interface Limits {
  readonly ratePerSecond?: number;
  readonly burst?: number;
  /** Of the first window; `windowMs` not of a calendar window. */
  readonly limit?: number;
  readonly windowMs?: number;
  /** Of all windows: empty without one. */
  readonly windows: readonly WindowLimits[];
  readonly max?: number;
}

export interface LimiterStats {
  /** Decisions that allowed, dry runs that would have refused not included. */
  readonly allowed: number;
  /** Refusals by tier, those of dry runs included. */
  readonly refused: Readonly<Record<Tier, number>>;
  /** Refusals that a dry run allowed all the same. */
  readonly dryRefusals: number;
  /** Calls of `acquire` that wait now, in all threads. */
  readonly waiting: number;
  /** What the depth tier counts now, over all keys. */
  readonly inFlight: number;
  /** Keys that have a limit of their own now (0 without keys); places that went from a forgotten key to a new one. */
  readonly keys: number;
  readonly evicted: number;
  /** Decisions about keys for which there was no place among those that owe something: guests (docs/guide/limiter.md). */
  readonly overflowed: number;
  /** Guests that were forgotten although they owed something, because newer ones needed their place. */
  readonly forgotten: number;
  /** Memory reserved at creation. Without the option `commit`, pages that no key has touched are not resident. */
  readonly bytes: number;
}

/** See `Limiter.limits`. */
export function limitsOf(native: NativeLimiter): Limits {
  const limits = alive('Limiter', native.limits());
  const windows: WindowLimits[] = []; // of this realm, as the list of native code may not be
  for (const [i, window] of limits.windows.entries()) {
    const fixed = native.windows[i];
    const every = periodOf(fixed);
    const { limit, windowMs = 0 } = bare(window);
    windows.push(
      every === undefined ? { limit, windowMs } : { limit, every, timeZone: fixed?.timeZone ?? '' },
    );
  }
  if (windows.length === 0) return { ...limits, windows }; // [0] would be what Array.prototype has
  return { ...limits, ...limits.windows[0], windows };
}

/** See `Limiter.stats`. */
export function statsOf(native: NativeLimiter): LimiterStats {
  const stats = alive('Limiter', native.stats());
  return {
    allowed: stats.allowed,
    refused: {
      'token-bucket': stats.tokenBucket,
      'sliding-window': stats.slidingWindow,
      'queue-depth': stats.queueDepth,
      blocked: stats.blocked,
      adaptive: stats.adaptive,
      'waiting-line': stats.waitingLine,
    },
    dryRefusals: stats.dryRefusals,
    waiting: stats.waiting,
    inFlight: stats.inFlight,
    keys: stats.places,
    evicted: stats.evicted,
    overflowed: stats.overflowed,
    forgotten: stats.forgotten,
    bytes: stats.bytes,
  };
}
