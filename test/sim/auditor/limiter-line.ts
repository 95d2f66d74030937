import { by, type Changes, type Charge, type LimitAuditor, type Refusal, type Waiter } from './limiter.js';

const tierNames = [
  'token-bucket',
  'sliding-window',
  'queue-depth',
  'blocked',
  'adaptive',
  'waiting-line',
] as const;

/** All limits of a limiter, one for each key, and their waiters. */
export class LimiterAuditor {
  readonly counters = {
    allowed: 0,
    refused: Object.fromEntries(tierNames.map((tier) => [tier, 0])) as Record<string, number>,
    dryRefusals: 0,
  };
  /** The charges of admissions, by the name of the request. A request that only a dry run let through has none here. */
  readonly charges = new Map<number, Charge>();
  /** The results of the waits that have ended since this map was last read, by the name of the wait. */
  readonly ended = new Map<number, unknown>();
  /**
   * Whether waiters check at the next serve() if they can still be served in time. A charge of another request does not
   * make them check.
   */
  woken = false;
  /** The state whose waiters check, if not all do. */
  #reviewed: LimitAuditor | undefined;

  constructor(
    readonly states: readonly LimitAuditor[],
    readonly maxWaiting: number,
    readonly maxWaitingPerKey: number,
    public enforce: boolean,
  ) {}

  get waiting(): number {
    return this.states.reduce((sum, { waiters }) => sum + waiters.length, 0);
  }
  get inFlight(): number {
    return this.states[0]?.queueLength?.() ?? this.states.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** Returns the answer of `tryAcquire`. */
  ask(
    keyAt: number,
    cost: number,
    now: number,
    name?: number,
  ): { allowed: boolean; retryAfterNs: number; [more: string]: unknown } {
    const state = this.#state(keyAt);
    const { refusal, charge } = this.#decide(state, cost, now);
    this.#note(name, charge);
    if (refusal !== undefined && this.enforce) {
      const oversized = state.exceeded(cost) !== undefined;
      return { allowed: false, ...refusal, oversized, retryAfterNs: state.retryAfter(cost, now) };
    }
    return { allowed: true, remaining: state.remaining(now), retryAfterNs: 0, ...forgiven(refusal) };
  }

  /**
   * Asks for a cost of 1 as a gate does. If it is allowed, charges it, and returns a function that undoes the charge;
   * otherwise returns the refusal.
   */
  admit(
    keyAt: number,
    now: number,
  ): { readonly refund: () => void } | (Refusal & { readonly retryAfterNs: number }) {
    const state = this.#state(keyAt);
    const { refusal, charge } = this.#decide(state, 1, now);
    if (refusal === undefined) {
      const refund = (): void => {
        state.giveBack(charge as Charge, now);
        this.counters.allowed--;
      };
      return { refund };
    }
    if (this.enforce) return { ...refusal, retryAfterNs: state.retryAfter(1, now) };
    const refund = (): void => {
      const { tier } = refusal;
      state.release(1);
      this.counters.refused[tier] = (this.counters.refused[tier] ?? 0) - 1;
      this.counters.dryRefusals--;
    };
    return { refund };
  }

  peek(
    keyAt: number,
    cost: number,
    now: number,
  ): { allowed: boolean; retryAfterNs: number; [more: string]: unknown } {
    const state = this.#state(keyAt);
    const refuses = state.refuses(cost, now) ?? this.#lineRefuses(state, cost);
    const refusal = this.#named(state, refuses, cost);
    const common = {
      oversized: refusal !== undefined && state.exceeded(cost) !== undefined,
      remaining: state.remaining(now),
      retryAfterNs: state.retryAfter(cost, now),
    };
    return refusal === undefined ? { allowed: true, ...common } : { allowed: false, ...refusal, ...common };
  }

  /** Returns the tiers that allow the least. */
  tightest(keyAt: number, now: number): string[] {
    const state = this.#state(keyAt);
    if (now < state.blockedUntil) return ['blocked'];
    const depth = state.depthMax === undefined ? undefined : Math.max(0, state.depthMax - state.depth);
    const ofWindows = state.windows.map((window) => window.remaining(now));
    const left = {
      'token-bucket': state.bucket?.remaining(now),
      'sliding-window': ofWindows.length === 0 ? undefined : Math.min(...ofWindows),
      'queue-depth': depth,
    };
    return Object.entries(left).flatMap(([tier, count]) => (count === state.remaining(now) ? [tier] : []));
  }

  /** Releases depth and serves the waiters. Returns false if less than `cost` is in flight. */
  release(keyAt: number, cost: number, now: number): boolean {
    const released = this.#state(keyAt).release(cost);
    this.serve(now);
    return released;
  }
  /** Gives back, once, the part of an admission's charge that is still in force. */
  refund(keyAt: number, name: number, now: number): void {
    const charge = this.charges.get(name);
    if (charge !== undefined) this.#state(keyAt).refund(charge, now);
    this.charges.delete(name);
    this.serve(now);
  }
  block(keyAt: number, until: number): void {
    const state = this.#state(keyAt);
    state.blockedUntil = until;
    this.#reviewed = state; // the waiters of this key check, and no others
  }
  configure(changes: Changes, enforce: boolean | undefined, now: number): void {
    for (const state of this.states) state.configure(changes, now);
    this.enforce = enforce ?? this.enforce;
    this.woken = true;
  }

  // ---- waiting -----------------------------------------------------------------------------------------------

  /**
   * `patience` is how long the call may wait, in nanoseconds. How long a call must wait behind other waiters is a
   * forecast of the limiter, which this model does not make. So the simulator gives no other `patience` than Infinity
   * if more than one call can wait.
   */
  acquire(keyAt: number, name: number, cost: number, now: number, patience: number): void {
    const state = this.#state(keyAt);
    const refused = this.#objection(state, cost, now);
    const never = state.retryAfter(cost, now) === Infinity;
    // The line does not refuse a request that costs nothing, but the forecast counts the waiter before it all the same.
    const before = cost === 0 ? state.waiters.reduce((sum, waiter) => sum + waiter.cost, 0) : 0;
    const hopeless = never || (patience !== Infinity && state.retryAfter(cost + before, now) > patience);
    if (refused === undefined || !this.enforce) {
      this.#note(name, this.#decide(state, cost, now).charge);
      this.ended.set(name, { allowed: true, ...forgiven(refused) });
    } else if (
      hopeless ||
      this.waiting === this.maxWaiting ||
      state.waiters.length >= this.maxWaitingPerKey
    ) {
      const refusal = hopeless ? refused : by('waiting-line');
      this.#count(refusal);
      this.ended.set(name, { ...refusal, never });
    } else {
      state.waiters.push({ name, cost, deadline: now + patience });
      this.woken = true; // the new waiter checks at once; a refused call makes no waiter check
    }
  }

  leave(name: number): boolean {
    for (const state of this.states) {
      const waiters = state.waiters.filter((waiter) => waiter.name !== name);
      if (waiters.length === state.waiters.length) continue;
      state.waiters = waiters;
      return true;
    }
    return false;
  }

  /**
   * Serves the waiters that can be served, first come first served; in a dry run all. If `woken`, also refuses those
   * that can never be served, or not in time.
   */
  serve(now: number): void {
    for (const state of this.states) {
      const checks = (this.woken || this.#reviewed === state) && this.enforce;
      if (checks) this.#dismiss(state, now, ({ cost }) => state.retryAfter(cost, now) === Infinity);
      for (const { name, cost } of [...state.waiters]) {
        const refusal = this.#named(state, state.refuses(cost, now), cost);
        if (refusal !== undefined && this.enforce) break;
        this.leave(name);
        this.#note(name, this.#settle(state, refusal, cost, now));
        this.ended.set(name, { allowed: true, ...forgiven(refusal) });
      }
      // Refuses waiters that cannot be served in time.
      const tooLate = ({ cost, deadline }: Waiter): boolean =>
        now >= deadline || state.retryAfter(cost, now) > deadline - now;
      if (checks) this.#dismiss(state, now, tooLate);
    }
    this.woken = false;
    this.#reviewed = undefined;
  }

  #dismiss(state: LimitAuditor, now: number, isHopeless: (waiter: Waiter) => boolean): void {
    for (const { name, cost } of state.waiters.filter(isHopeless)) {
      const refusal = this.#named(state, state.refuses(cost, now), cost) ?? by('waiting-line');
      this.leave(name);
      this.#count(refusal);
      this.ended.set(name, { ...refusal, never: state.retryAfter(cost, now) === Infinity });
    }
  }

  #note(name: number | undefined, charge: Charge | undefined): void {
    if (name !== undefined && charge !== undefined) this.charges.set(name, charge);
  }
  #state(keyAt: number): LimitAuditor {
    return this.states[keyAt % this.states.length] as LimitAuditor;
  }
  #objection(state: LimitAuditor, cost: number, now: number): Refusal | undefined {
    return this.#named(state, this.#lineRefuses(state, cost) ?? state.refuses(cost, now), cost);
  }
  /** Waiters come first, but a call that costs nothing takes nothing from them. */
  #lineRefuses(state: LimitAuditor, cost: number): Refusal | undefined {
    return state.waiters.length > 0 && cost > 0 ? by('waiting-line') : undefined;
  }
  /** A cost that can never pass is refused in the name of the tier whose limit it exceeds. */
  #named(state: LimitAuditor, refusal: Refusal | undefined, cost: number): Refusal | undefined {
    return refusal === undefined ? undefined : (state.exceeded(cost) ?? refusal);
  }
  /** Charges if it is allowed; in a dry run, a refused request charges only the depth. */
  #decide(state: LimitAuditor, cost: number, now: number): { refusal?: Refusal; charge?: Charge } {
    const refusal = this.#objection(state, cost, now);
    const charge = this.#settle(state, refusal, cost, now);
    return { ...(refusal !== undefined && { refusal }), ...(charge !== undefined && { charge }) };
  }
  /** Counts a decision. Returns the charge of one that no tier refuses. */
  #settle(state: LimitAuditor, refusal: Refusal | undefined, cost: number, now: number): Charge | undefined {
    if (refusal === undefined) {
      this.counters.allowed++;
      return state.take(cost, now);
    }
    this.#count(refusal);
    if (!this.enforce) {
      this.counters.dryRefusals++;
      state.enterDepth(cost);
    }
    return undefined;
  }
  #count({ tier }: Refusal): void {
    this.counters.refused[tier] = (this.counters.refused[tier] ?? 0) + 1;
  }
}

/** Returns what a dry run reports of a refusal. */
function forgiven(refusal: Refusal | undefined): { wouldRefuse?: string; window?: number | undefined } {
  return refusal === undefined ? {} : { wouldRefuse: refusal.tier, window: refusal.window };
}
