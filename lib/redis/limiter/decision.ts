import type { Allowed, Denied, LimiterStats, Outlook, Tier } from '../../limiter/index.js';

/**
 * The tiers that can refuse a request of a `RedisLimiter`. 'unavailable': Redis gave no answer in time. It may have
 * charged the request all the same.
 */
export type RedisTier = Exclude<Tier, 'queue-depth' | 'adaptive' | 'waiting-line'> | 'unavailable';

/** The request is allowed, and charged (in a dry run, see `wouldRefuse`). */
export interface RedisAllowed extends Omit<Allowed, 'wouldRefuse'> {
  /** How much the tightest tier would still allow, as the server last said. */
  readonly remaining: number;
  /** In a dry run (`enforce: false`): the tier that would have refused. Nothing was charged then. */
  readonly wouldRefuse?: RedisTier;
  /**
   * Does nothing: a `RedisLimiter` has no depth tier. It is here so that a caller can treat all limiters alike.
   *
   * @throws Nothing.
   * @example
   * const decision = await redisLimiter.tryAcquire();
   * if (decision.allowed) response.on('close', decision.release);
   */
  release(): void;
  /**
   * Gives back what this decision charged, as far as it is still in force: its count in a bucket that its window still
   * counts; the tokens that have not accrued again since. What was taken from a lease returns to that lease until the
   * lease ends. The rest goes to the server with the calls of this turn of the event loop; if that call fails, the
   * charge stays. Further calls do nothing.
   *
   * @throws Nothing.
   * @example
   * const decision = await redisLimiter.tryAcquire();
   * if (decision.allowed && (await isCached(request))) decision.refund();
   */
  refund(): void;
}

/** The request is refused, and nothing was charged, unless `tier` is 'unavailable'. */
export interface RedisDenied extends Omit<Denied, 'tier'> {
  /** The first tier that refused; for an oversized cost, the first whose limit the cost exceeds. */
  readonly tier: RedisTier;
  /**
   * Milliseconds until every tier would allow the request, if no other request came: the longest of the tiers' times. 0
   * with the tier 'unavailable'. Infinity if the request is `oversized`, or if the time is more than 36 years.
   */
  readonly retryAfterMs: number;
}

/** The answer of a `RedisLimiter`: allowed and charged, or refused with the reason. */
export type RedisDecision = RedisAllowed | RedisDenied;

/** The decision that `RedisLimiter.tryAcquire` would make now. */
export interface RedisOutlook extends Omit<Outlook, 'tightest' | 'tier'> {
  /** The tier that would allow the least now; 'unavailable' if Redis does not answer. */
  readonly tightest: RedisTier;
  /** The tier that would refuse: as `RedisDenied.tier`. */
  readonly tier?: RedisTier;
}

/** What a `RedisLimiter` object has done; other processes are not counted. */
export interface RedisLimiterStats extends Pick<LimiterStats, 'allowed' | 'dryRefusals' | 'evicted'> {
  /** Requests that were allowed, without those that only a dry run allowed. */
  readonly allowed: number;
  /** Refusals by tier, those of dry runs included. */
  readonly refused: Readonly<Record<RedisTier, number>>;
  /** Refusals that a dry run allowed all the same. */
  readonly dryRefusals: number;
  /** Requests that wait for the server's answer now. */
  readonly waiting: number;
  /** Keys whose leases, demand and refusals this object remembers now; without keys at most 1. */
  readonly keys: number;
  /** Keys that it forgot so that another key could have their place. The server has forgotten nothing. */
  readonly evicted: number;
  /** Leased tokens that can be spent now. */
  readonly leased: number;
  /** Requests that leased tokens paid for, without a call. */
  readonly paidByLease: number;
  /** Calls of the script, without the repeated ones. */
  readonly calls: number;
  /** Calls that were repeated because an answer was lost or the server could not just then. */
  readonly retries: number;
}

/** Does nothing, for all decisions alike. */
export const nothing = (): void => {};

export function denied(
  tier: RedisTier,
  window: number | undefined,
  oversized: boolean,
  retryAfterMs: number,
): RedisDenied {
  return { allowed: false, tier, window, oversized, retryAfterMs };
}
