import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort, SluiceError } from '../../input/index.js';
import type { Limits } from '../../queue/index.js';
import {
  countsIn,
  faultOf,
  Link,
  list,
  Pause,
  publishFault,
  redisError,
  retryMs,
  type Script,
  Silent,
  sleep,
  text,
} from '../client/index.js';
import { Desk, type InHand } from './desk.js';
import { Lane, type OrderHandler } from './lane.js';
import { isFinal, Reservations } from './reservations.js';
import type { Plan } from './worker-options.js';
import { count, endLease, lease, makeGroup, patrol, retire, tidy } from './worker-scripts.js';

const callMs = 5_000;
/** Consumers without an entry that said nothing for this long are taken out of the group. */
const forgottenMs = 3_600_000;
/** Every this many patrols the group is tidied. */
const patrolsPerTidy = 32;
/** After this many patrols without a backlog a pool has one consumer less. */
const idlePatrols = 10;
const movesMax = 1_000;

/** One run of workers: from the first connection to the last acknowledgement. */
export class Session<T> {
  readonly desk: Desk<T>;
  readonly counts = { claimed: 0, faults: 0, silences: 0, grown: 0, shrunk: 0 };
  lastFault: string | undefined;
  readonly #plan: Plan<T>;
  readonly #handler: OrderHandler<T>;
  readonly #limits: Limits;
  readonly #link: Link;
  readonly #lanes = new Map<string, Lane<T>>();
  readonly #token = randomBytes(16).toString('hex');
  /** Aborts when no more orders are handed out. */
  readonly #end = new AbortController();
  /** Aborts when the run waits no longer for what is not settled. */
  readonly #giveUp = new AbortController();
  readonly #retiring = new Set<Promise<void>>();
  #reason: { readonly error: unknown } | undefined;
  #remaking: Promise<void> | undefined;
  #cursor = '-';
  #patrols = 0;
  #quiet = 0;
  readonly #pause = new Pause();
  /** Whether a suspect went out of hand, or a place became free for a patrol, since the last one began. */
  #patrolsAtOnce = false;

  constructor(plan: Plan<T>, handler: OrderHandler<T>, limits: Limits) {
    this.#plan = plan;
    this.#handler = handler;
    this.#limits = limits;
    this.#link = new Link(plan.redis, plan.keys.stream);
    const fault = (error: unknown): Promise<void> => this.#fault(error);
    const reservations = new Reservations(plan.stock, plan.claimIdleMs, fault, this.#giveUp.signal);
    this.desk = new Desk(plan, this.#link, reservations, fault);
  }

  get consumers(): number {
    return this.#lanes.size;
  }

  get running(): number {
    let running = 0;
    for (const lane of this.#lanes.values()) running += lane.running;
    return running;
  }

  /** Hands out orders until `signal` aborts or an error ends it; then rejects with the reason. */
  async run(signal: AbortSignal | undefined): Promise<void> {
    const forget = onAbort(signal, () => this.#stop(signal?.reason));
    if (signal?.aborted) this.#stop(signal.reason);
    try {
      await this.#prepare();
      await this.#work();
    } finally {
      forget();
      this.#link.close();
    }
    throw this.#reason?.error;
  }

  #stop(error: unknown): void {
    this.#reason ??= { error };
    this.#end.abort();
    for (const lane of this.#lanes.values()) lane.stop(error);
    this.#pause.end();
  }

  /** Makes the group, and takes the name. */
  async #prepare(): Promise<void> {
    const { keys, group, consumer, isNamed, pool } = this.#plan;
    await this.#untilDone(() => this.#script(makeGroup, [keys.stream], [group, '0', '']));
    if (!isNamed) return;
    const patience = performance.now() + this.#plan.claimIdleMs;
    for (let hasName = false; !hasName && !this.#end.signal.aborted; ) {
      await this.#untilDone(async () => {
        hasName = await this.#lease();
      });
      if (hasName) break;
      // A process that died with the name keeps it until its lease is over.
      if (performance.now() > patience) this.#stop(taken(consumer));
      await sleep(this.#leaseMs / 4, this.#end.signal);
    }
    // With the lease no other process has the name. What the consumer has in hand, an earlier process has left.
    for (let n = 1; n <= pool.max; n++) await this.#untilDone(() => this.#leave(this.#nameOf(n), true));
  }

  /** Runs `step` until it succeeds or the run ends. */
  async #untilDone(step: () => Promise<unknown>): Promise<void> {
    for (let failed = 0; !this.#end.signal.aborted; ) {
      try {
        await step();
        return;
      } catch (error) {
        await this.#fault(error);
        await sleep(retryMs(++failed), this.#end.signal);
      }
    }
  }

  async #work(): Promise<void> {
    const end = this.#end.signal;
    if (!end.aborted) for (let n = 1; n <= this.#plan.pool.min; n++) this.#grow();
    const settling = this.desk.settleAll(this.#settled.signal, this.#giveUp.signal);
    const patrolling = this.#patrolAll(end);
    const loops = [
      this.desk.renewAll(this.#settled.signal),
      this.#plan.isNamed ? this.#keepLease(this.#settled.signal) : undefined,
    ];
    await new Promise<void>((resolve) => {
      if (end.aborted) resolve();
      else onAbort(end, resolve);
    });
    await this.#finish(settling, patrolling);
    await Promise.all(loops);
  }

  /** Aborts when all handlers have ended: nothing is in hand any more. */
  readonly #settled = new AbortController();

  /** Waits for the handlers, settles what they have decided, and gives back what they have not. */
  async #finish(settling: Promise<void>, patrolling: Promise<void>): Promise<void> {
    const lanes = [...this.#lanes.values()];
    await Promise.allSettled([...lanes.map(({ finished }) => finished), ...this.#retiring]);
    this.#settled.abort();
    const { graceMs } = this.#limits;
    const timer = setTimeout(() => this.#giveUp.abort(), Math.min(Math.max(graceMs, 1_000), 60_000));
    await settling;
    await patrolling; // what it has claimed for a consumer that has left would belong to no consumer
    try {
      for (const { consumer } of lanes) await this.#leave(consumer, false);
      if (this.#plan.isNamed) await this.#script(endLease, [this.#leaseKey], [this.#token]);
    } catch {
      // The run ends also while the server cannot be reached: other consumers claim later what is left.
    }
    clearTimeout(timer);
  }

  #nameOf(n: number): string {
    return `${this.#plan.consumer}.${n}`;
  }

  #grow(): void {
    let n = 1;
    while (this.#lanes.has(this.#nameOf(n))) n++;
    const name = this.#nameOf(n);
    const lane = new Lane(
      this.#plan,
      name,
      this.desk,
      this.#handler,
      this.#limits,
      (error) => this.#fault(error),
      (one) => this.#freed(one),
    );
    lane.finished.catch(() => {}); // its handlers were given up: #finish() goes on
    this.#lanes.set(name, lane);
  }

  /** Ends one consumer of the pool, when its handlers have ended. */
  #shrink(): void {
    const lane = [...this.#lanes.values()].at(-1);
    if (lane === undefined) return;
    lane.stop(new SluiceError('ERR_SLUICE_CONSUMER', 'RedisWorkers: the pool has one consumer less'));
    const retiring = lane.finished
      .catch(() => {})
      .then(() => this.#untilSettled(lane.consumer))
      .then(() => this.#leave(lane.consumer, false))
      .catch((error: unknown) => this.#fault(error))
      .finally(() => {
        this.#lanes.delete(lane.consumer);
        this.#retiring.delete(retiring);
      });
    this.#retiring.add(retiring);
  }

  /** Waits until the decisions of a consumer are settled, so that its end gives back no order that is done. */
  async #untilSettled(consumer: string): Promise<void> {
    while (this.desk.isSettling(consumer) && !this.#giveUp.signal.aborted)
      await sleep(5, this.#giveUp.signal);
  }

  /** An order is out of hand: a patrol may wait for that, or for its place. */
  #freed({ isSuspect }: InHand<T>): void {
    if (!isSuspect && ![...this.#lanes.values()].some(({ keepsPlace }) => keepsPlace)) return;
    this.#patrolsAtOnce = true;
    this.#pause.end();
  }

  async #patrolAll(end: AbortSignal): Promise<void> {
    let nextMs = 0;
    for (let failed = 0; !end.aborted; ) {
      // A suspect that leaves a handler's hands ends the pause: the next one may be claimed then.
      if (!this.#patrolsAtOnce) await this.#pause.for(nextMs, end);
      if (end.aborted) return;
      this.#patrolsAtOnce = false;
      try {
        nextMs = await this.#patrol();
        if (++this.#patrols % patrolsPerTidy === 0) await this.#tidy();
        await this.#follow();
        failed = 0;
      } catch (error) {
        await this.#fault(error);
        nextMs = Math.max(this.#plan.patrolMs, retryMs(++failed));
      }
    }
  }

  /** Claims what is due, and returns in how many milliseconds to look again. */
  async #patrol(): Promise<number> {
    const { keys, group, claimIdleMs, maxDeliveries, dead, maxDead, patrolMs } = this.#plan;
    const usualMs = patrolMs * (0.75 + Math.random() / 2); // so that processes do not patrol all at once
    const lane = this.#roomiest();
    if (lane === undefined) return usualMs;
    if (lane.room === 0) {
      lane.keepPlace();
      return usualMs;
    }
    const suspects = this.desk.suspects === 0 ? 1 : 0;
    const askedAt = performance.now();
    const args = [
      ...[group, lane.consumer, claimIdleMs, maxDeliveries],
      ...[Math.min(lane.room, this.#plan.count), suspects, maxDead, this.#cursor],
    ];
    const reply = await this.#script(patrol, [keys.stream, keys.retry(group), dead], args, true);
    const [cursor, dueMs, buried, full, rows] = list(reply);
    const [refused] = countsIn([full], 1) as [number];
    this.#cursor = text(cursor);
    this.desk.bury(list(buried), refused);
    const claimed = list(rows).map((row) => list(row));
    this.counts.claimed += claimed.length;
    lane.bring(claimed, askedAt);
    for (const one of this.#lanes.values()) one.releasePlace();
    if (claimed.length > 0 && this.desk.suspects === 0) return 0; // none of them was an order: there may be more
    if (Number(dueMs) >= 0) return Math.min(usualMs, Math.max(5, Number(dueMs)));
    return usualMs;
  }

  #roomiest(): Lane<T> | undefined {
    let best: Lane<T> | undefined;
    for (const lane of this.#lanes.values()) {
      if (!lane.isEnded && lane.room >= (best?.room ?? 0)) best = lane;
    }
    return best;
  }

  async #tidy(): Promise<void> {
    const { keys, group } = this.#plan;
    await this.#script(tidy, [keys.stream], [group, forgottenMs]);
  }

  /**
   * Adds a consumer while more orders wait than the pool has places for, and ends one when none has waited for long.
   */
  async #follow(): Promise<void> {
    const { keys, group, dead, pool } = this.#plan;
    if (pool.min === pool.max || this.#retiring.size > 0) return;
    const [, , unread] = list(await this.#script(count, [keys.stream, keys.retry(group), dead], [group]));
    if (this.#end.signal.aborted) return; // a consumer that began now would not end
    const places = this.#lanes.size * this.#limits.concurrency;
    this.#quiet =
      Number(unread) === 0 && this.running <= places - this.#limits.concurrency ? this.#quiet + 1 : 0;
    if (Number(unread) > places && this.#lanes.size < pool.max) {
      this.#grow();
      this.counts.grown++;
    } else if (this.#quiet >= idlePatrols && this.#lanes.size > pool.min) {
      this.#shrink();
      this.#quiet = 0;
      this.counts.shrunk++;
    }
  }

  /** Takes a consumer out of the group. `all`: handlers of an earlier process may have got all that it has. */
  async #leave(consumer: string, all: boolean): Promise<void> {
    const { keys, group } = this.#plan;
    for (let moves = 0; moves < movesMax; moves++) {
      const args = [group, consumer, all ? '1' : '', ...this.desk.started(consumer)];
      if (Number(await this.#script(retire, [keys.stream, keys.retry(group)], args)) === 0) return;
    }
  }

  get #leaseKey(): string {
    return this.#plan.keys.lease(this.#plan.group, this.#plan.consumer);
  }

  get #leaseMs(): number {
    return Math.ceil(this.#plan.claimIdleMs / 3);
  }

  async #lease(): Promise<boolean> {
    return Number(await this.#script(lease, [this.#leaseKey], [this.#token, this.#leaseMs])) === 1;
  }

  async #keepLease(end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      await sleep(this.#leaseMs / 4, end);
      if (end.aborted) return;
      try {
        if (!(await this.#lease())) this.#stop(taken(this.#plan.consumer));
      } catch (error) {
        await this.#fault(error);
      }
    }
  }

  /** Publishes an error of a command, and makes the group again or ends the run if need be. The caller tries again. */
  async #fault(error: unknown): Promise<void> {
    this.counts.faults++;
    if (error instanceof Silent) this.counts.silences++;
    this.lastFault = error instanceof Error ? error.message : String(error);
    publishFault(error);
    if (error instanceof SluiceError) {
      // It is of a call of the stock.
      if (isFinal(error)) this.#stop(error);
      return;
    }
    const fault = faultOf(error);
    if (fault === 'final') this.#stop(redisError('RedisWorkers', error));
    if (fault !== 'no-group') return;
    this.#remaking ??= this.#remake().finally(() => {
      this.#remaking = undefined;
    });
    await this.#remaking;
  }

  async #remake(): Promise<void> {
    const { keys, group } = this.#plan;
    try {
      const made = Number(await this.#script(makeGroup, [keys.stream], [group, '0', '1']));
      if (made !== -1) return;
      const message = `RedisWorkers: the group ${group} is gone, and other groups read ${keys.stream}: from where it must go on is not known`;
      this.#stop(new SluiceError('ERR_SLUICE_REDIS', message));
    } catch {
      // The next command finds no group either, and comes here again.
    }
  }

  async #script(
    script: Script,
    keys: readonly string[],
    args: ReadonlyArray<string | number>,
    bytes = false,
  ): Promise<unknown> {
    return await this.#link.use(callMs, (port) => script.run(port, keys, args, { bytes }));
  }
}

function taken(consumer: string): SluiceError {
  return new SluiceError('ERR_SLUICE_CONSUMER', `RedisWorkers: another process is the consumer ${consumer}`);
}
