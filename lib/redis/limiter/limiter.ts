import { constructorError, optionError } from '../../input/index.js';
import {
  blockMsMax,
  checkCharge,
  checkedRequest,
  type Key,
  type Limits,
  type TryAcquireOptions,
  type WindowLimits,
} from '../../limiter/index.js';
import type { RedisPort } from '../client/index.js';
import {
  denied,
  nothing,
  type RedisAllowed,
  type RedisDecision,
  type RedisDenied,
  type RedisLimiterStats,
  type RedisOutlook,
  type RedisTier,
} from './decision.js';
import { closed, Desk } from './desk.js';
import { type Checked, checkedOptions, type RedisLimiterOptions } from './options.js';

const by = Symbol('by RedisLimiter.open');

/**
 * A limit that processes on several machines share: a token bucket, windows, or both, decided by one script on a Redis
 * or Valkey server, by the server's clock. Its answers are those of `Limiter`, as promises. A refusal charges nothing.
 * In no window has the sum over all processes more than the limit, with leases, too.
 */
export class RedisLimiter {
  readonly #options: Checked;
  readonly #desk: Desk;
  readonly #counts = { allowed: 0, dryRefusals: 0 };
  readonly #refused: Record<RedisTier, number> = {
    'token-bucket': 0,
    'sliding-window': 0,
    blocked: 0,
    unavailable: 0,
  };
  #isClosed = false;

  private constructor(options: Checked, maker: symbol) {
    if (maker !== by) throw constructorError('RedisLimiter', 'RedisLimiter.open()');
    this.#options = options;
    this.#desk = new Desk(options);
  }

  /**
   * Makes the object, and asks the server once, so that a missing permission shows here. A server that is away is no
   * error: requests are refused as 'unavailable' until it is back.
   *
   * @param options The options.
   * @returns The limiter. `close()` ends its connection.
   * @throws (rejects) TypeError, RangeError (`ERR_SLUICE_OPTION`) naming the option; SluiceError `ERR_SLUICE_REDIS` if
   *   the server refuses the script.
   * @example
   * const redisLimiter = await RedisLimiter.open({
   *   ...{ redis, prefix: 'shop', name: 'checkout' },
   *   tokenBucket: { ratePerSecond: 1_000, burst: 2_000 },
   * });
   */
  static async open(options: RedisLimiterOptions): Promise<RedisLimiter> {
    const made = new RedisLimiter(checkedOptions('RedisLimiter.open', options), by);
    const { names } = made.#options;
    try {
      await made.#ask('open', true, (port) => made.#desk.calls.change(port, names.of(undefined), 'open', 0));
    } catch (error) {
      if (!isSilence(error)) {
        made.#desk.server.close();
        throw error;
      }
    }
    return made;
  }

  /** Whether each key has its own limit. */
  get keyed(): boolean {
    return this.#options.keyed;
  }

  /**
   * Decides as `tryAcquire` does, and returns only whether the request is allowed.
   *
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @param cost How much the request takes: 0 to 2^32 - 1. Default: 1.
   * @returns Whether the request was allowed and charged.
   * @throws (rejects) As `tryAcquire`.
   * @example
   * if (!(await redisLimiter.allow())) return response.writeHead(429).end();
   */
  async allow(key?: Key, cost = 1): Promise<boolean> {
    checkCharge('RedisLimiter.allow', this.keyed, key, cost, 'cost');
    return (await this.#decide(key, cost)).allowed;
  }

  /**
   * Allows and charges a request, or refuses it. A refusal that is known here, and tokens that are leased here, answer
   * without a call. Other requests of one turn of the event loop go to the server together, those for one key in one
   * call, which decides them one after the other.
   *
   * If the server does not answer within `timeoutMs`, the request is refused as 'unavailable'. A lost answer may leave
   * it charged, once or more: then less is allowed than the limit, never more.
   *
   * @param options `key` and `cost`.
   * @returns The decision.
   * @throws (rejects) TypeError, RangeError (`ERR_SLUICE_OPTION`) for a bad option; SluiceError `ERR_SLUICE_REDIS` if
   *   the server refuses the script for good (no permission, a key of another type), `ERR_SLUICE_CLOSED`.
   * @example
   * const decision = await redisLimiter.tryAcquire({ cost: 5 });
   * if (!decision.allowed) retryLater(decision.retryAfterMs);
   */
  async tryAcquire(options?: TryAcquireOptions): Promise<RedisDecision> {
    const { key, cost } = checkedRequest('RedisLimiter.tryAcquire', options, this.keyed);
    return await this.#decide(key, cost);
  }

  /**
   * Returns the refusal that `tryAcquire` would answer without a call: the cost is more than a tier ever allows, or the
   * server has refused the same cost and said for how long. Such a refusal is known for at most a second, with the tier
   * that refused then. It may be out of date if another process has given something back since. Charges and counts
   * nothing.
   *
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @param cost How much the request takes: 0 to 2^32 - 1. Default: 1.
   * @returns The refusal; undefined if none is known, and in a dry run.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * const known = redisLimiter.refusal();
   * if (known !== undefined) retryLater(known.retryAfterMs);
   */
  refusal(key?: Key, cost = 1): RedisDenied | undefined {
    checkCharge('RedisLimiter.refusal', this.keyed, key, cost, 'cost');
    return this.#options.enforce ? this.#known(key, cost) : undefined;
  }

  /**
   * Takes from the tokens that this process has leased for the key, without a call.
   *
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @param cost How much the request takes: 0 to 2^32 - 1. Default: 1.
   * @returns The decision; undefined if too few tokens are leased here: then ask `tryAcquire`.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`); SluiceError `ERR_SLUICE_CLOSED`.
   * @example
   * const decision = redisLimiter.tryLeased() ?? (await redisLimiter.tryAcquire());
   */
  tryLeased(key?: Key, cost = 1): RedisAllowed | undefined {
    checkCharge('RedisLimiter.tryLeased', this.keyed, key, cost, 'cost');
    if (this.#isClosed) throw closed();
    const decision = this.#desk.fromLease(key, cost);
    if (decision !== undefined) this.#counts.allowed++;
    return decision;
  }

  /**
   * Asks the server for the decision that `tryAcquire` would make now. Charges nothing. In a dry run, returns the
   * decision that `tryAcquire` would make if the limits were enforced.
   *
   * @param options `key` and `cost`.
   * @returns The decision that `tryAcquire` would make now.
   * @throws (rejects) As `tryAcquire`.
   * @example
   * const { remaining } = await redisLimiter.peek();
   */
  async peek(options?: TryAcquireOptions): Promise<RedisOutlook> {
    const { key, cost } = checkedRequest('RedisLimiter.peek', options, this.keyed);
    if (this.#isClosed) throw closed();
    try {
      const name = this.#options.names.of(key);
      const { free, tightest, refusing } = await this.#ask('peek', true, (port) =>
        this.#desk.calls.peek(port, name, cost),
      );
      const lease = this.#desk.state(key)?.lease;
      const leased = lease?.isLive ? lease.tokens : 0;
      const outlook = { remaining: free + leased, tightest };
      const oversized = this.#oversized(cost);
      if (oversized !== undefined) return { ...outlook, ...oversized };
      if (refusing === undefined || (leased > 0 && cost <= leased)) {
        return { allowed: true, ...outlook, oversized: false, retryAfterMs: 0 };
      }
      return { ...outlook, ...denied(refusing.tier, refusing.window, false, refusing.retryAfterMs) };
    } catch (error) {
      if (!isSilence(error)) throw error;
      return { remaining: 0, tightest: 'unavailable', ...denied('unavailable', undefined, false, 0) };
    }
  }

  /**
   * Charges `points` to the token bucket and the windows, whether or not they fit: the token bucket may come to owe up
   * to 2^33 tokens.
   *
   * @param points 0 to 2^32 - 1.
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @returns Resolves when the server has charged them.
   * @throws (rejects) As `tryAcquire`; SluiceError `ERR_SLUICE_TIMEOUT` without an answer: they may be charged or not.
   * @example
   * if (!isPasswordRight) await redisLimiter.penalty(10);
   */
  async penalty(points: number, key?: Key): Promise<void> {
    checkCharge('RedisLimiter.penalty', this.keyed, key, points, 'points');
    await this.#change('penalty', key, points);
  }

  /**
   * Gives `points` back to the token bucket and the windows, up to the amount that is charged there, whichever
   * decisions charged it. To give back one decision's own charge, call its `refund()`.
   *
   * @param points 0 to 2^32 - 1.
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @returns Resolves when the server has given them back.
   * @throws (rejects) As `penalty`.
   * @example
   * await redisLimiter.reward(1);
   */
  async reward(points: number, key?: Key): Promise<void> {
    checkCharge('RedisLimiter.reward', this.keyed, key, points, 'points');
    await this.#change('reward', key, points);
  }

  /**
   * Forgets all charges to the token bucket and the windows, and ends a block. Tokens that other processes have leased
   * can still be spent until their leases end.
   *
   * @param key The key whose limit applies. Needed if the limiter has keys, and only then.
   * @returns Resolves when the server has forgotten them.
   * @throws (rejects) As `penalty`.
   * @example
   * await redisLimiter.reset();
   */
  async reset(key?: Key): Promise<void> {
    checkCharge('RedisLimiter.reset', this.keyed, key, 0, 'cost');
    await this.#change('reset', key, 0);
  }

  /**
   * Refuses every request for the key for `ms` from now; 0 ends a block. The tier is then 'blocked', unless the cost is
   * oversized. Tokens that other processes have leased can still be spent until their leases end.
   *
   * @param key The key to block; undefined for a limiter without keys.
   * @param ms For how long, in milliseconds: 0 to 31 days.
   * @returns True.
   * @throws (rejects) As `penalty`.
   * @example
   * await redisLimiter.block(undefined, 60_000);
   */
  async block(key: Key | undefined, ms: number): Promise<boolean> {
    checkCharge('RedisLimiter.block', this.keyed, key, 0, 'cost');
    if (typeof ms !== 'number' || !(ms >= 0 && ms <= blockMsMax)) {
      const expected = `a number from 0 to ${blockMsMax}`;
      throw optionError('RedisLimiter.block: ms', expected, ms, typeof ms !== 'number');
    }
    await this.#change('block', key, ms);
    return true;
  }

  /**
   * Returns the limits of the tiers, as they were given.
   *
   * @returns The figures: see `Limits`.
   * @throws Nothing.
   * @example
   * const { ratePerSecond, burst } = redisLimiter.limits();
   */
  limits(): Limits {
    const windows = this.#options.windows.map(({ limit, windowMs }): WindowLimits => ({ limit, windowMs }));
    return { ...this.#options.tokenBucket, windows, ...windows.at(0) };
  }

  /**
   * Returns what this object has done. The server is not asked.
   *
   * @returns The counts: see `RedisLimiterStats`.
   * @throws Nothing.
   * @example
   * const { allowed, refused } = redisLimiter.stats();
   */
  stats(): RedisLimiterStats {
    const { counts, waiting, keys, leased } = this.#desk;
    return { ...this.#counts, refused: { ...this.#refused }, ...counts, waiting, keys, leased };
  }

  /**
   * Waits for the answers of the calls in flight, gives leased tokens back, and closes the connection: within twice
   * `timeoutMs`. Calls after it reject with `ERR_SLUICE_CLOSED`. Further calls do nothing.
   *
   * @returns Resolves when all that is done.
   * @throws Nothing.
   * @example
   * await redisLimiter.close();
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#desk.close();
  }

  async #decide(key: Key | undefined, cost: number): Promise<RedisDecision> {
    if (this.#isClosed) throw closed();
    const decision =
      this.#desk.fromLease(key, cost) ?? this.#known(key, cost) ?? (await this.#desk.fromServer(key, cost));
    if (decision.allowed) {
      this.#counts.allowed++;
      return decision;
    }
    this.#refused[decision.tier]++;
    if (this.#options.enforce) return decision;
    this.#counts.dryRefusals++;
    const { tier, window } = decision;
    return { allowed: true, remaining: 0, wouldRefuse: tier, window, release: nothing, refund: nothing };
  }

  #known(key: Key | undefined, cost: number): RedisDenied | undefined {
    return this.#oversized(cost) ?? this.#desk.state(key)?.refusal(cost);
  }

  /** Returns the refusal of a cost that a tier never allows. */
  #oversized(cost: number): RedisDenied | undefined {
    const { tokenBucket, windows } = this.#options;
    if (tokenBucket !== undefined && cost > tokenBucket.burst) {
      return denied('token-bucket', undefined, true, Infinity);
    }
    for (let i = 0; i < windows.length; i++) {
      if (cost > (windows[i]?.limit ?? 0)) return denied('sliding-window', i, true, Infinity);
    }
    return undefined;
  }

  async #change(
    op: 'penalty' | 'reward' | 'reset' | 'block',
    key: Key | undefined,
    amount: number,
  ): Promise<void> {
    if (this.#isClosed) throw closed();
    const state = this.#desk.state(key);
    if (state !== undefined && (op === 'block' || op === 'reset')) this.#desk.endLease(state);
    const repeatable = op === 'block' || op === 'reset'; // what was done twice is as if it was done once
    const name = this.#options.names.of(key);
    await this.#ask(op, repeatable, (port) => this.#desk.calls.change(port, name, op, amount));
    this.#desk.state(key)?.forgetRefusal();
  }

  #ask<T>(method: string, repeatable: boolean, call: (port: RedisPort) => Promise<T>): Promise<T> {
    return this.#desk.server.ask(`RedisLimiter.${method}`, repeatable, call);
  }
}

function isSilence(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_SLUICE_TIMEOUT';
}
