import { byNumber, refusalBits, tiers } from '../binding/index.js';

/**
 * The tiers that can refuse a request. 'blocked': `block()` was called for the key. 'adaptive': this thread is
 * overloaded, or a queue is congested. 'waiting-line': calls of `acquire()` wait already, or no more may wait.
 */
export type Tier =
  | 'token-bucket'
  | 'sliding-window'
  | 'queue-depth'
  | 'blocked'
  | 'adaptive'
  | 'waiting-line';
const names: readonly (Tier | undefined)[] = byNumber(tiers satisfies Record<Tier, number>);

/** Returns the name of a tier by its native number. */
export function tierName(tier: number): Tier {
  return names[tier] as Tier;
}

/** The flags in the number of a refusal, beside its tier. */
const { oversized: oversizedFlag, window: windowUnit, dryRun: dryRunFlag } = refusalBits;
const windowMask = dryRunFlag / windowUnit - 1;

/** Whether an answer is a refusal that a dry run allowed. */
export function isForgiven(answer: number): boolean {
  return (answer & dryRunFlag) !== 0;
}
/** Returns the tier of a refusal. */
export function tierOf(answer: number): Tier {
  return tierName(answer & (oversizedFlag - 1));
}
/** Returns the index of the window that refused; undefined if another tier refused. */
export function windowOf(answer: number): number | undefined {
  return tierOf(answer) === 'sliding-window' ? (answer / windowUnit) & windowMask : undefined;
}
/** Makes the decision for a refusal that native code has answered. */
export function denied(answer: number, retryAfterMs: number): Denied {
  const oversized = (answer & oversizedFlag) !== 0;
  return { allowed: false, tier: tierOf(answer), window: windowOf(answer), oversized, retryAfterMs };
}

/** The request is allowed, and charged (in a dry run, see `wouldRefuse`). */
export interface Allowed {
  /** Distinguishes `Allowed` from `Denied`. */
  readonly allowed: true;
  /** How much the tightest tier would still allow now. */
  readonly remaining: number;
  /** In a dry run (`enforce: false`): the tier that would have refused. Nothing but the depth was charged then. */
  readonly wouldRefuse?: Tier;
  /** The window that would have refused: as `Denied.window`. */
  readonly window?: number | undefined;
  /**
   * Gives back what the depth tier holds for this decision. Further calls do nothing. The hold belongs to this thread:
   * when the thread ends in whatever way, or disposes of the limiter, native code gives it back.
   *
   * @throws Nothing.
   * @example
   * const decision = limiter.tryAcquire();
   * if (decision.allowed) response.on('close', decision.release);
   */
  release(): void;
  /**
   * As `release()`, and gives back what this decision charged, as far as it is still in force: its entries in an exact
   * window; its count in a bucket that its window still counts, or in a calendar period that has not ended; the tokens
   * that have not accrued again since, less those that refunds of earlier charges gave back meanwhile. The charges of
   * other decisions stay. A charge is not in force any more after a `reset()`, after a change of the rate or of the
   * window's length, or once its key was forgotten. Further calls of `refund()`, and of `release()` after it, do
   * nothing. A `refund()` after `release()` gives back all but the depth. Does nothing once the limiter is disposed of
   * in this thread.
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
  /** Distinguishes `Allowed` from `Denied`. */
  readonly allowed: false;
  /** The first tier that refused; for an oversized cost, the first whose limit the cost exceeds. */
  readonly tier: Tier;
  /**
   * The window that refused, if `tier` is 'sliding-window': its index in the option, which is 0 for a limiter with one
   * window.
   */
  readonly window: number | undefined;
  /**
   * Whether the cost exceeds all that `tier` allows at one time (its burst, its limit, its `max`): then no waiting
   * helps, only a `configure` to more.
   */
  readonly oversized: boolean;
  /**
   * Milliseconds until every tier with a clock would allow the request, if no other request came: the longest of the
   * tiers' times. 0 if only the depth tier or a congested queue refuses, because no clock shows when work ends.
   * Infinity if the request is `oversized`, or if the time is more than 36 years.
   */
  readonly retryAfterMs: number;
}

/** The answer of a limiter: allowed and charged, or refused with the reason. */
export type Decision = Allowed | Denied;

/** The decision that `tryAcquire` would make now. */
export interface Outlook {
  /** Whether `tryAcquire` would allow the request now. */
  readonly allowed: boolean;
  /** How much the tightest tier would allow now. */
  readonly remaining: number;
  /** The tier that would allow the least now. */
  readonly tightest: Tier;
  /** The tier that would refuse: as `Denied.tier`, but 'waiting-line' only if no other tier would refuse. */
  readonly tier?: Tier;
  /** As `Denied.window`. */
  readonly window?: number | undefined;
  /** As `Denied.oversized`; false if the request would be allowed. */
  readonly oversized: boolean;
  /** As `Denied.retryAfterMs`; 0 if the request would be allowed. */
  readonly retryAfterMs: number;
}
