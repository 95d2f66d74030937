import { performance } from 'node:perf_hooks';
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { SluiceError } from '../../input/index.js';
import type { Key } from '../../limiter/index.js';
import { Batch, type Waiting } from './batch.js';
import { denied, nothing, type RedisAllowed, type RedisDecision } from './decision.js';
import { type KeyState, KeyStates, Lease } from './key-state.js';
import { LimitCalls, type Refusing, type Taken } from './limit-script.js';
import type { Checked } from './options.js';
import { LimitServer } from './server.js';

/**
 * Answers requests: from a lease, from a refusal that is known, or by a call for all requests of one turn of the loop.
 */
export class Desk {
  readonly server: LimitServer;
  readonly calls: LimitCalls;
  readonly counts = { paidByLease: 0, calls: 0, retries: 0, evicted: 0 };
  readonly #options: Checked;
  readonly #states: KeyStates;
  readonly #inFlight = new Set<Promise<void>>();
  #open = new Map<string, Batch>();
  #full: Batch[] = [];
  #turn: NodeJS.Immediate | undefined;
  #waiting = 0;
  /** Returns that are on their way. */
  #returning = 0;
  #isClosed = false;

  constructor(options: Checked) {
    this.#options = options;
    this.calls = new LimitCalls(options);
    this.#states = new KeyStates(options.keysMax, (state) => {
      this.counts.evicted++;
      this.endLease(state);
    });
    this.server = new LimitServer(options.redis, options.names.of(undefined), options.timeoutMs, () => {
      this.counts.retries++;
    });
  }

  get waiting(): number {
    return this.#waiting;
  }

  get keys(): number {
    return this.#states.size;
  }

  get leased(): number {
    let sum = 0;
    for (const { lease } of this.#states) if (lease?.isLive) sum += lease.tokens;
    return sum;
  }

  state(key: Key | undefined): KeyState | undefined {
    return this.#states.get(key);
  }

  /** Takes from the tokens that are leased here. */
  fromLease(key: Key | undefined, cost: number): RedisAllowed | undefined {
    const state = this.#states.get(key);
    const lease = state?.lease;
    if (state === undefined || lease === undefined || lease.tokens < cost || !lease.isLive) return undefined;
    lease.tokens -= cost;
    state.asked += cost;
    this.counts.paidByLease++;
    return this.#allowed(state, cost, lease.charged, lease, lease.beside + lease.tokens);
  }

  /** Asks the server, together with the other requests of this turn. */
  fromServer(key: Key | undefined, cost: number): Promise<RedisDecision> {
    if (this.#isClosed) return Promise.reject(closed());
    if (this.#waiting >= this.#options.maxWaiting)
      return Promise.resolve(denied('unavailable', undefined, false, 0));
    this.#waiting++;
    const state = this.#states.touch(key, (of) => this.#options.names.of(of));
    state.asked += cost;
    return new Promise((resolve, reject) => this.#batchOf(state).add({ cost, resolve, reject }));
  }

  /** Ends the lease of a key, and gives back what is left of it. */
  endLease(state: KeyState): void {
    clearTimeout(state.leaseTimer);
    const { lease } = state;
    state.lease = undefined;
    if (lease !== undefined) this.#giveBack(state, lease.end(), lease.charged);
  }

  /** Waits for the calls in flight, and gives the leases back. Takes at most twice `timeoutMs`. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flush();
    await Promise.all(this.#inFlight); // they may bring leases
    for (const state of this.#states) this.endLease(state);
    this.#flush();
    await Promise.all(this.#inFlight);
    this.server.close();
  }

  #batchOf(state: KeyState): Batch {
    const open = this.#open.get(state.name);
    // A state that was forgotten and made anew has another batch.
    if (open !== undefined && open.state === state && !open.isFull) return open;
    if (open !== undefined) this.#full.push(open);
    const made = new Batch(state);
    this.#open.set(state.name, made);
    // After the requests of all sockets that are ready in this turn.
    this.#turn ??= setImmediate(() => this.#flush());
    return made;
  }

  #flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const batches = [...this.#full, ...this.#open.values()];
    this.#full = [];
    this.#open = new Map();
    for (const batch of batches) {
      const sent: Promise<void> = this.#send(batch).finally(() => this.#inFlight.delete(sent));
      this.#inFlight.add(sent);
    }
  }

  /** Never rejects. */
  async #send(batch: Batch): Promise<void> {
    const { state, requests, runs, returns } = batch;
    const lease = { ...this.#options.lease, expected: this.#expected(batch) };
    this.counts.calls++;
    let sentAt = 0;
    let wallSentAt = 0;
    try {
      const taken = await this.server.ask('RedisLimiter', true, (port, mayHaveRun) => {
        sentAt = performance.now();
        wallSentAt = Date.now();
        // What may have been given back is not given back again. What may have been charged is charged again.
        return this.calls.take(port, state.name, mayHaveRun ? [] : returns, lease, runs);
      });
      const free = this.#answer(batch, taken, sentAt);
      if (taken.tokens > 0)
        this.#lend(state, new Lease(taken, free - taken.tokens, sentAt, wallSentAt), taken);
    } catch (error) {
      const isSilent = error instanceof SluiceError && error.code === 'ERR_SLUICE_TIMEOUT';
      for (const request of requests) {
        if (isSilent) request.resolve(denied('unavailable', undefined, false, 0));
        else request.reject(error);
      }
    } finally {
      if (lease.expected > 0) state.isLeasing = false;
      this.#waiting -= requests.length;
      this.#returning -= returns.length;
    }
  }

  /** Returns how much will be asked for while a lease lasts; 0: no lease. One call for a key asks for one at a time. */
  #expected({ state, requests }: Batch): number {
    const { tokens, ms } = this.#options.lease;
    if (tokens === 0 || requests.length === 0 || state.isLeasing || this.#isClosed) return 0;
    if (state.lease !== undefined && state.lease.tokens > 0 && state.lease.isLive) return 0;
    const expected = state.expected(ms);
    state.isLeasing = expected > 0;
    return expected;
  }

  #lend(state: KeyState, lease: Lease, { lastsMs }: Taken): void {
    this.endLease(state);
    state.lease = lease;
    state.leaseTimer = setTimeout(() => this.endLease(state), lastsMs).unref();
    if (this.#states.get(state.key) !== state) this.endLease(state); // it was forgotten meanwhile
  }

  /** Resolves the requests of a batch. Returns how much the tiers allow after them. */
  #answer({ state, requests, runs }: Batch, taken: Taken, sentAt: number): number {
    let { free } = taken;
    let next = 0;
    for (const [i, { count, cost }] of runs.entries()) {
      const { allowed = 0, refusing } = taken.runs[i] ?? {};
      if (allowed * cost > 0) state.forgetRefusal(); // the wait is longer now
      for (let nth = 0; nth < count; nth++) {
        const { resolve } = requests[next++] as Waiting;
        if (nth < allowed) {
          free = Math.max(0, free - cost);
          resolve(this.#allowed(state, cost, taken.charged, undefined, free));
        } else {
          resolve(this.#refused(state, cost, refusing as Refusing, sentAt));
        }
      }
    }
    return free;
  }

  #refused(state: KeyState, cost: number, refusing: Refusing, sentAt: number): RedisDecision {
    state.refused(cost, refusing, sentAt);
    return denied(refusing.tier, refusing.window, false, refusing.retryAfterMs);
  }

  #allowed(
    state: KeyState,
    cost: number,
    charged: number,
    lease: Lease | undefined,
    remaining: number,
  ): RedisAllowed {
    let owed = cost;
    const refund = (): void => {
      const units = owed;
      owed = 0;
      if (lease !== undefined && lease === state.lease && lease.isLive) lease.tokens += units;
      else if (!this.#isClosed) this.#giveBack(state, units, charged);
    };
    return { allowed: true, remaining, release: nothing, refund };
  }

  #giveBack(state: KeyState, units: number, charged: number): void {
    // Beyond the bound the charge stays.
    if (units === 0 || this.#returning >= this.#options.maxWaiting) return;
    this.#returning++;
    state.forgetRefusal();
    this.#batchOf(state).returns.push({ units, charged });
  }
}

export function closed(): SluiceError {
  return new SluiceError('ERR_SLUICE_CLOSED', 'RedisLimiter: it was closed');
}
