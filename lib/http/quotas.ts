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

/** A refusal, as clients are told of it. */
export interface Refused {
  readonly tier: Tier;
  /** Of 'sliding-window' which one. */
  readonly window?: number | undefined;
  /** What Retry-After says; undefined of a cost that can never pass. */
  readonly seconds: number | undefined;
}

/**
 * The quotas of a limiter's tiers for a key, as they are now. A refusal by what has no quota (a block, an overload)
 * leaves nothing of any.
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
  // A bucket gives its burst anew in the time that fills it.
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
 * A time in seconds, rounded up, at least 1. Less than a microsecond above a whole second is none (a rate such as
 * 1 / 86,400 is not exact in binary): the response is longer on its way.
 */
export function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000 - 1e-6));
}

/**
 * The partition key in base64: the first 12 octets of SHA-256 of `type:key`, such as "string:192.0.2.1". A hash, because
 * a key may be a secret.
 */
export function partitionOf(key: Key): string {
  const digest = createHash('sha256')
    .update(`${typeof key}:${key}`)
    .digest();
  return digest.subarray(0, 12).toString('base64');
}
