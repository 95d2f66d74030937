import { type Allowed, type Decision, type Key, Limiter } from 'sluice';
import { type Changes, LimitAuditor, type Limits } from '../auditor/limiter.js';
import { LimiterAuditor } from '../auditor/limiter-line.js';
import { holds, outcome, same, sameWait } from '../divergence.js';
import type { Driver, Operation, Random } from '../operation.js';
import { aborted, Waits } from '../waits.js';
import { type Acquire, drawLimiter, type LimiterOperation } from './limiter-operations.js';
import type { QueueDriver } from './queue.js';
import { type KeyName, keyOf } from './stock-operations.js';
import type { Time } from './time.js';

export interface LimiterScenario extends Limits {
  /** Absent: one limit for all. */
  readonly keys?: readonly KeyName[];
  /** The number of keys that it is made for. */
  readonly maxKeys?: number;
  readonly commit: boolean;
  /** Whether the depth tier follows the queue of the other driver. */
  readonly followsQueue: boolean;
  readonly maxWaiting: number;
  readonly enforce: boolean;
  readonly objects: number;
  readonly weights: Readonly<Record<string, number>>;
}

interface Held {
  readonly owner: Limiter;
  readonly keyAt: number;
  readonly cost: number;
  readonly release: () => void;
  /** The `refund` of the decision, if there was one. */
  readonly refund?: () => void;
  released: boolean;
}

/** A limiter with several objects, beside its auditor. */
export class LimiterDriver implements Driver {
  readonly auditor: LimiterAuditor;
  readonly objects: Limiter[];
  readonly #held = new Map<number, Held>();
  readonly #waits = new Waits<Decision>();
  readonly #aborts = new Map<number, { owner: Limiter; controller: AbortController }>();
  /**
   * The depth that the decisions of each object hold, by key. It is released when the object ends. What `allow` holds
   * stays.
   */
  readonly #ofDecisions = new Map<Limiter, Map<number, number>>();
  #servedAt = 0;
  readonly #dead = new Set<Limiter>();

  constructor(
    readonly scenario: LimiterScenario,
    readonly time: Time,
    queue: QueueDriver | undefined,
  ) {
    const {
      keys,
      maxKeys = 100,
      commit,
      maxWaiting,
      enforce,
      objects,
      tokenBucket,
      slidingWindow,
      queueDepth,
    } = scenario;
    const tiers = {
      ...(tokenBucket && { tokenBucket }),
      ...(slidingWindow && { slidingWindow }),
      ...(queueDepth && { queueDepth }),
    };
    const followed = scenario.followsQueue && queueDepth !== undefined ? queue : undefined;
    const length = followed && ((): number => followed.auditor.depth);
    const maxWaitingPerKey = 1 + (maxWaiting >> 2);
    const states = Array.from(
      { length: keys?.length ?? 1 },
      () => new LimitAuditor(tiers, time.beganMs, length),
    );
    this.auditor = new LimiterAuditor(
      states,
      maxWaiting,
      keys === undefined ? Infinity : maxWaitingPerKey,
      enforce,
    );
    const queueDepthOf = queueDepth &&
      followed && { queueDepth: { ...queueDepth, queue: followed.object(0) } };
    const options = { ...tiers, ...queueDepthOf, maxWaiting, enforce, commit, clock: time.clock };
    const first = Limiter.create(
      keys === undefined ? options : { ...options, keys: { max: maxKeys, maxWaitingPerKey } },
    );
    this.objects = [first];
    while (this.objects.length < objects) this.objects.push(Limiter.attach(first.handle));
  }

  draw(random: Random, name: number): Operation | undefined {
    const known = { held: [...this.#held.keys()], waiting: this.#waits.pending };
    return drawLimiter(random, name, this.scenario, known);
  }

  run(operation: Operation): void {
    const given = operation as LimiterOperation;
    const { auditor } = this;
    const now = this.time.now;
    const limiter = this.object(given.by);
    const keyAt = given.key ?? 0;
    const key = this.key(keyAt);
    const asked = { ...(key === undefined ? {} : { key }), ...('cost' in given ? { cost: given.cost } : {}) };
    switch (given.do) {
      case 'allow': {
        const { allowed } = auditor.ask(keyAt, given.cost, now);
        same('allow', limiter.allow(key, given.cost), allowed);
        if (!allowed) return;
        const release = once(() => limiter.release(given.cost, key));
        this.#held.set(given.name, { owner: limiter, keyAt, cost: given.cost, release, released: false });
        return;
      }
      case 'tryAcquire': {
        const expected = auditor.ask(keyAt, given.cost, now, given.name);
        const actual = limiter.tryAcquire(asked);
        this.#compare('tryAcquire', keyAt, actual, expected);
        if (actual.allowed) this.#hold(given.name, limiter, keyAt, given.cost, actual);
        return;
      }
      case 'acquire':
        this.#acquire(given, limiter, keyAt, asked);
        return;
      case 'abort': {
        if (!auditor.leave(given.of)) return;
        this.#aborts.get(given.of)?.controller.abort(aborted);
        auditor.ended.set(given.of, 'aborted');
        return;
      }
      case 'peek': {
        const { tightest, ...actual } = limiter.peek(asked);
        this.#compare('peek', keyAt, actual, auditor.peek(keyAt, given.cost, now));
        const tiers = auditor.tightest(keyAt, now);
        holds('the tightest tier', tiers.includes(tightest), { tightest, tiers });
        return;
      }
      case 'release':
      case 'refund': {
        const held = this.#held.get(given.of);
        if (held === undefined) return;
        const refund = given.do === 'refund' ? held.refund : undefined;
        if (refund !== undefined && !this.#dead.has(held.owner)) auditor.refund(held.keyAt, given.of, now);
        if (!held.released && !this.#dead.has(held.owner)) {
          const released = auditor.release(held.keyAt, held.cost, now);
          if (released) this.#countDecisions(held.owner, held.keyAt, -held.cost);
        }
        held.released = true;
        // If less is in flight than is released here, `release()` throws an error, but the `release` of a decision does
        // nothing.
        outcome(refund ?? held.release);
        return;
      }
      case 'giveBack': {
        const released = auditor.release(keyAt, given.cost, now);
        if (released) this.#countDecisions(limiter, keyAt, -given.cost);
        const expected = released ? undefined : { error: 'ERR_SLUICE_RELEASE' };
        same(
          'release',
          outcome(() => limiter.release(given.cost, key)),
          expected,
        );
        return;
      }
      case 'penalty':
        auditor.states[keyAt]?.penalize(given.cost, now);
        limiter.penalty(given.cost, key);
        return;
      case 'reward':
        auditor.states[keyAt]?.reward(given.cost, now);
        limiter.reward(given.cost, key);
        return;
      case 'reset':
        auditor.states[keyAt]?.reset();
        limiter.reset(key);
        return;
      case 'block':
        auditor.block(keyAt, given.ms === 0 ? 0 : now + Math.round(given.ms * 1e6));
        same('block', limiter.block(key, given.ms), true);
        return;
      case 'configure':
        auditor.configure(given.changes, given.enforce, now);
        limiter.configure(changesOf(given.changes, given.enforce));
        return;
      case 'die':
        this.#die(given.by);
        return;
    }
  }

  async settle(): Promise<void> {
    const { auditor } = this;
    if (this.time.now !== this.#servedAt) auditor.woken = true;
    this.#servedAt = this.time.now;
    auditor.serve(this.time.now);
    const ended = new Map(auditor.ended);
    auditor.ended.clear();
    await this.#waits.settle('acquire', ended);
    for (const name of ended.keys()) this.#aborts.delete(name);
  }

  check(): void {
    const { auditor } = this;
    const { allowed, refused, dryRefusals, waiting, inFlight, overflowed, forgotten } =
      this.object(0).stats();
    same(
      'stats of the limiter',
      { allowed, refused, dryRefusals, waiting, inFlight, overflowed, forgotten },
      {
        ...auditor.counters,
        waiting: auditor.waiting,
        inFlight: auditor.inFlight,
        // With room for one key some keys are guests. The auditor does not know how many decisions are about them.
        overflowed: this.scenario.maxKeys === 1 ? overflowed : 0,
        forgotten: 0,
      },
    );
    const windows = auditor.states[0]?.windows.map((window) => window.limits);
    same('the limits of windows', this.object(0).limits().windows, windows);
    for (const state of auditor.states) {
      for (const { admitted, limit } of state.inTrueWindows(this.time.now)) {
        holds('no true window admits more than its limit', admitted <= limit, { admitted, limit });
      }
    }
  }

  dueTimes(): number[] {
    return this.auditor.states.flatMap((state) => state.dueTimes(this.time.now)).filter(Number.isFinite);
  }

  dispose(): void {
    for (const { controller } of this.#aborts.values()) controller.abort(aborted);
    for (const limiter of this.objects) limiter[Symbol.dispose]();
  }

  object(by: number): Limiter {
    return this.objects[by % this.objects.length] as Limiter;
  }

  key(at: number): Key | undefined {
    const { keys } = this.scenario;
    return keys === undefined ? undefined : keyOf(keys[at % keys.length] as KeyName);
  }

  #hold(name: number, owner: Limiter, keyAt: number, cost: number, { release, refund }: Allowed): void {
    this.#held.set(name, { owner, keyAt, cost, release, refund, released: false });
    this.#countDecisions(owner, keyAt, cost);
  }

  /**
   * Adds `by` to the depth that an object's decisions hold for a key. A release through the object subtracts from this
   * depth first, whichever call took what is released.
   */
  #countDecisions(owner: Limiter, keyAt: number, by: number): void {
    const ofKeys = this.#ofDecisions.get(owner) ?? new Map<number, number>();
    ofKeys.set(keyAt, Math.max(0, (ofKeys.get(keyAt) ?? 0) + by));
    this.#ofDecisions.set(owner, ofKeys);
  }

  #acquire(given: Acquire, limiter: Limiter, keyAt: number, asked: object): void {
    const { name, cost, timeoutMs } = given;
    const controller = new AbortController();
    const promise = limiter.acquire({
      ...asked,
      ...(timeoutMs !== undefined && { timeoutMs }),
      signal: controller.signal,
    });
    this.#aborts.set(name, { owner: limiter, controller });
    this.#waits.add(name, promise, (decision) => {
      if (!decision.allowed) {
        return { tier: decision.tier, window: decision.window, never: decision.retryAfterMs === Infinity };
      }
      this.#hold(name, limiter, keyAt, cost, decision);
      const { release: _, refund: __, remaining: ___, ...answer } = decision;
      return answer;
    });
    const patience = timeoutMs === undefined ? Infinity : Math.floor(timeoutMs * 1e6);
    this.auditor.acquire(keyAt, name, cost, this.time.now, patience);
  }

  #die(by: number): void {
    const dying = this.object(by);
    dying[Symbol.dispose]();
    for (const [name, { owner }] of this.#aborts) {
      if (owner !== dying || !this.auditor.leave(name)) continue;
      this.auditor.ended.set(name, { error: 'ERR_SLUICE_DISPOSED' });
    }
    // The depth that the object's decisions hold is released when it ends, in one step for each key.
    for (const [keyAt, cost] of this.#ofDecisions.get(dying) ?? []) {
      if (cost > 0) this.auditor.release(keyAt, cost, this.time.now);
    }
    this.#dead.add(dying);
    this.objects[by % this.objects.length] = Limiter.attach(this.object(by + 1).handle);
  }

  /** While others wait, `retryAfterMs` is a forecast: it is at least as long as without them. */
  #compare(
    what: string,
    keyAt: number,
    actual: object,
    expected: { allowed: boolean; retryAfterNs: number },
  ): void {
    const {
      release: _,
      refund: __,
      ...answer
    } = actual as {
      release?: unknown;
      refund?: unknown;
      retryAfterMs: number;
    };
    const { retryAfterNs, ...rest } = expected;
    const { retryAfterMs, ...others } = answer;
    same(what, others, rest);
    if (expected.allowed && !('retryAfterMs' in answer)) return;
    if (this.auditor.states[keyAt]?.waiters.length === 0) {
      sameWait(`${what}: retryAfterMs`, retryAfterMs, retryAfterNs);
      return;
    }
    const alone = retryAfterNs / 1e6;
    holds(`${what}: retryAfterMs is at least what it is without waiters`, retryAfterMs >= alone, {
      retryAfterMs,
      alone,
    });
  }
}

function once(call: () => void): () => void {
  let called = false;
  return () => {
    const first = !called;
    called = true;
    if (first) call();
  };
}

function changesOf(changes: Changes, enforce: boolean | undefined): object {
  return enforce === undefined ? changes : { ...changes, enforce };
}
