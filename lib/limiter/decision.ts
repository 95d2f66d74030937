import { byNumber, refusalBits, tiers } from '../binding/index.js';

/**
 * What can refuse, in the order in which it is asked. 'blocked': by `block()`. 'adaptive': this thread is overloaded,
 * or a queue stands.
 */
export type Tier =
  | 'token-bucket'
  | 'sliding-window'
  | 'queue-depth'
  | 'blocked'
  | 'adaptive'
  | 'waiting-line';
const names: readonly (Tier | undefined)[] = byNumber(tiers satisfies Record<Tier, number>);

/** The name of a tier by its native number. */
export function tierName(tier: number): Tier {
  return names[tier] as Tier;
}

/** Beside the tier, in the number that a refusal is. */
const { oversized: oversizedFlag, window: windowUnit, dryRun: dryRunFlag } = refusalBits;
const windowMask = dryRunFlag / windowUnit - 1;

/** Whether an answer is a refusal that was none, for it was a dry run. */
export function isForgiven(answer: number): boolean {
  return (answer & dryRunFlag) !== 0;
}
/** The tier of a refusal. */
export function tierOf(answer: number): Tier {
  return tierName(answer & (oversizedFlag - 1));
}
/** Of a refusal by a sliding window which one it was. */
export function windowOf(answer: number): number | undefined {
  return tierOf(answer) === 'sliding-window' ? (answer / windowUnit) & windowMask : undefined;
}
/** A refusal, as native code answers it. */
export function denied(answer: number, retryAfterMs: number): Denied {
  const oversized = (answer & oversizedFlag) !== 0;
  return { allowed: false, tier: tierOf(answer), window: windowOf(answer), oversized, retryAfterMs };
}

/** The request is allowed, and charged. */
export interface Allowed {
  /** Tells the two kinds of `Decision` apart. */
  readonly allowed: true;
  /** What the tightest tier would still allow now. */
  readonly remaining: number;
  /** In a dry run (`enforce: false`): the tier that would have refused. Nothing but the depth was charged then. */
  readonly wouldRefuse?: Tier;
  /** Beside `wouldRefuse`: as `Denied.window`. */
  readonly window?: number | undefined;
  /**
   * Gives back what the depth tier holds for this decision: once; further calls do nothing. It belongs to this thread:
   * when the thread ends in whatever way, or lets go of the limiter, what is left is given back for it.
   *
   * @throws Nothing.
   * @example
   * const decision = limiter.tryAcquire();
   * if (decision.allowed) response.on('close', decision.release);
   */
  release(): void;
  /**
   * As `release()`, and gives back what this decision charged, as far as it is still in force: its entries in an exact
   * window; its count in a bucket of a window that has not ended; of the token bucket what has not accrued again since,
   * less what was given back meanwhile of charges before it. What others have charged stays charged, and what was
   * charged before a `reset()`, before a change of the rate or of the window's length, or for a key that was forgotten
   * since, is not in force any more. Once; further calls do nothing, nor does `release()` after it; after `release()`
   * it gives back the rest. Does nothing once the limiter is disposed of in this thread.
   *
   * @throws Nothing.
   * @example
   * const decision = limiter.tryAcquire({ key });
   * if (decision.allowed && (await isCached(request))) decision.refund();
   */
  refund(): void;
}

/** The request is refused, and nothing was charged. */
export interface Denied {
  /** Tells the two kinds of `Decision` apart. */
  readonly allowed: false;
  /** The first tier that refused; of an oversized cost, the first whose limit it exceeds. */
  readonly tier: Tier;
  /** Of 'sliding-window' which one: its index in the option; 0 of a limiter with one window. */
  readonly window: number | undefined;
  /**
   * Whether the cost exceeds all that `tier` allows at one time (its burst, its limit, its `max`): then no waiting
   * helps, only a `configure` to more.
   */
  readonly oversized: boolean;
  /**
   * Milliseconds until every tier with a clock would allow it, if nobody else asked: the largest over the tiers; 0 if
   * only the depth tier or a standing queue refuses (no clock tells when work ends), Infinity if it is `oversized`, or
   * if it is more than 36 years.
   */
  readonly retryAfterMs: number;
}

/** What a limiter answers: allowed and charged, or refused with the reason. */
export type Decision = Allowed | Denied;

/** The decision that `tryAcquire` would make now. */
export interface Outlook {
  /** Whether `tryAcquire` would allow it now. */
  readonly allowed: boolean;
  /** What the tightest tier would allow now. */
  readonly remaining: number;
  /** Which tier that is. */
  readonly tightest: Tier;
  /** Which tier would refuse: as `Denied.tier`. */
  readonly tier?: Tier;
  /** As `Denied.window`. */
  readonly window?: number | undefined;
  /** As `Denied.oversized`; false if it would be allowed. */
  readonly oversized: boolean;
  /** As `Denied.retryAfterMs`; 0 if it would be allowed. */
  readonly retryAfterMs: number;
}
