import { createHash } from 'node:crypto';
import { bare } from '../input/index.js';
import { type Key, type Limiter, type Room, roomsOf, type Tier, windowLengthMs } from '../limiter/index.js';
import type { Quota } from './fields.js';

/** The tiers that have a quota, by the names that clients see. */
const names = {
  'token-bucket': 'bucket',
  'sliding-window': 'window',
  'queue-depth': 'concurrency',
} as const satisfies Partial<Record<Tier, string>>;
type QuotaTier = keyof typeof names;

/** A refusal, as clients see it. */
export interface Refused {
  readonly tier: Tier;
  /** The index of the window that refused, for the tier 'sliding-window'. */
  readonly window?: number | undefined;
  /** The value of Retry-After; undefined for a cost that can never pass. */
  readonly seconds: number | undefined;
}

/**
 * Returns the current quotas of a limiter's tiers for a key. After a refusal by a tier without a quota (such as a block
 * or an overload), every quota has nothing left.
 */
export function quotasOf(limiter: Limiter, key: Key | undefined, refused?: Refused): Quota[] {
  const quotas: Quota[] = [];
  const hasNoQuota = refused !== undefined && !Object.hasOwn(names, refused.tier);
  const add = (
    tier: QuotaTier,
    quota: number,
    { left, moreInMs }: Room,
    windowMs?: number,
    index = 0,
  ): void => {
    const windowSeconds = windowMs === undefined ? undefined : wholeSeconds(windowMs);
    const mine = hasNoQuota || (refused?.tier === tier && (refused.window ?? 0) === index);
    const resetMs = moreInMs < Infinity ? moreInMs : windowMs;
    const resetSeconds = resetMs === undefined ? undefined : wholeSeconds(resetMs);
    quotas.push({
      tier: index === 0 ? names[tier] : `${names[tier]}-${index + 1}`,
      quota,
      windowSeconds,
      unit: tier === 'queue-depth' ? 'concurrent-requests' : undefined,
      remaining: hasNoQuota ? 0 : left,
      resetSeconds:
        hasNoQuota || (mine && moreInMs === Infinity) ? (refused?.seconds ?? resetSeconds) : resetSeconds,
      resetMs: hasNoQuota ? (refused?.seconds ?? Infinity) * 1_000 : resetMs,
      refused: mine,
    });
  };
  const { burst, ratePerSecond, windows, max } = bare(limiter.limits());
  const { bucket, windows: rooms, depth } = roomsOf(limiter, key);
  // The window of the token bucket is the time in which it fills.
  if (burst !== undefined && ratePerSecond !== undefined) {
    add('token-bucket', burst, bucket, (burst / ratePerSecond) * 1_000);
  }
  for (const [i, window] of windows.entries()) {
    add('sliding-window', window.limit, rooms[i] as Room, windowLengthMs(window), i);
  }
  if (max !== undefined) add('queue-depth', max, depth);
  return quotas;
}

/**
 * Returns a time in seconds, rounded up, at least 1. An excess of less than a microsecond over a whole second is
 * ignored (a rate such as 1 / 86,400 is not exact in binary), because the response takes longer than that to arrive.
 */
export function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000 - 1e-6));
}

/**
 * Returns the partition key in base64: the first 12 bytes of SHA-256 of `type:key`, such as "string:192.0.2.1". It is a
 * hash, because a key may be a secret.
 */
export function partitionOf(key: Key): string {
  const digest = createHash('sha256')
    .update(`${typeof key}:${key}`)
    .digest();
  return digest.subarray(0, 12).toString('base64');
}
