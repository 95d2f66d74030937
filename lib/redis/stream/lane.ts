import { channel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import { Hold, handled } from '../../gate/index.js';
import { optionError, type SluiceError } from '../../input/index.js';
import { type Call, Handlers, type Limits } from '../../queue/index.js';
import { entriesOf, entryOf, Link, type RawEntry, retryMs, sleep, text } from '../client/index.js';
import type { Desk, InHand } from './desk.js';
import { EntryReader, type Read } from './entry.js';
import type { Plan } from './worker-options.js';

/** Handles an order: `RedisWorkers.run` waits for what it returns. */
export type OrderHandler<T> = (order: T, hold: Hold) => unknown;

/**
 * Publishes each order whose handler failed: `{ order, error, entry, deliveries }`. The order is tried again, or
 * becomes a dead letter.
 */
const failures = channel('sluice:redis:handler-failed');

/** How long after the end of its `BLOCK` a read counts as lost. */
const graceOfReadMs = 2_000;
/** How often a consumer that may read no more looks whether orders have been settled, in milliseconds. */
const fullMs = 20;

/** One consumer of the group: reads orders on a connection of its own, never more than handlers are free. */
export class Lane<T> {
  readonly consumer: string;
  /** Resolves when no handler runs any more; rejects if handlers were given up. */
  readonly finished: Promise<void>;
  readonly #plan: Plan<T>;
  readonly #desk: Desk<T>;
  readonly #limits: Limits;
  readonly #fault: (error: unknown) => Promise<void>;
  readonly #settled: (one: InHand<T>) => void;
  readonly #link: Link;
  readonly #entries: EntryReader<T>;
  readonly #handlers: Handlers<InHand<T>>;
  readonly #end = new AbortController();
  /** Orders that no handler has got yet. */
  readonly #waiting: InHand<T>[] = [];
  #running = 0;
  #keepsPlace = false;
  /** How many orders the current read may bring. */
  #asked = 0;
  #wakeItems: (() => void) | undefined;
  #wakeReader: (() => void) | undefined;

  /** `fault` is called with each error of a command, `settled` with each order whose handler has ended. */
  constructor(
    plan: Plan<T>,
    consumer: string,
    desk: Desk<T>,
    handler: OrderHandler<T>,
    limits: Limits,
    fault: (error: unknown) => Promise<void>,
    settled: (one: InHand<T>) => void,
  ) {
    this.consumer = consumer;
    this.#plan = plan;
    this.#desk = desk;
    this.#limits = limits;
    this.#fault = fault;
    this.#settled = settled;
    this.#link = new Link(plan.redis, plan.keys.stream);
    this.#entries = new EntryReader(plan.record);
    this.#handlers = new Handlers<InHand<T>>(
      (one, call) => (call.isStopped ? this.#desk.leave(one) : this.#handle(handler, one, call)),
      (one, error) => this.#tookTooLong(one, error),
      limits,
      () => this.#interrupt(),
    );
    this.finished = this.#run();
  }

  get running(): number {
    return this.#running;
  }

  get isEnded(): boolean {
    return this.#end.signal.aborted;
  }

  /**
   * How many orders a patrol may bring. A read that waits has asked for all the room there is; one order more may wait
   * for a handler then, so that tries do not wait for the end of the read.
   */
  get room(): number {
    if (this.isEnded || this.#desk.isFull) return 0;
    const left = this.#limits.concurrency - this.#running - this.#waiting.length - this.#asked;
    return left > 0 ? left : this.#running < this.#limits.concurrency && this.#waiting.length === 0 ? 1 : 0;
  }

  /** Keeps the next place that becomes free for a patrol: new orders would take every place otherwise. */
  keepPlace(): void {
    this.#keepsPlace = true;
  }

  releasePlace(): void {
    this.#keepsPlace = false;
    this.#wakeReader?.();
  }

  get keepsPlace(): boolean {
    return this.#keepsPlace;
  }

  /** Takes orders that a patrol has claimed for this consumer: each `[id, fields, deliveries, isSuspect]`. */
  bring(rows: ReadonlyArray<readonly unknown[]>, askedAt: number): void {
    for (const row of rows) this.#receive(entryOf(row), Number(row[2]), Number(row[3]) === 1, askedAt);
  }

  /** Hands out no more orders, and ends when the handlers that run have ended, or after `graceMs`. */
  stop(reason: unknown): void {
    this.#end.abort();
    this.#link.close();
    this.#handlers.stop(reason);
    this.#interrupt();
    this.#wakeReader?.();
  }

  async #run(): Promise<void> {
    const reading = this.#read();
    try {
      await this.#handlers.all(this.#items(), undefined);
    } finally {
      for (const one of this.#waiting.splice(0)) this.#desk.leave(one);
      await reading;
    }
  }

  async *#items(): AsyncGenerator<InHand<T>, void, void> {
    while (!this.isEnded) {
      const one = this.#waiting.shift();
      if (one !== undefined) {
        yield one;
        continue;
      }
      await new Promise<void>((resolve) => {
        this.#wakeItems = resolve;
      });
    }
  }

  #interrupt(): void {
    this.#wakeItems?.();
  }

  /** Reads while there is room. */
  async #read(): Promise<void> {
    for (let failed = 0; !this.isEnded; ) {
      const taken = this.#running + this.#waiting.length + (this.#keepsPlace ? 1 : 0);
      const room = this.#limits.concurrency - taken;
      if (room <= 0) {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
        await new Promise((resolve) => setImmediate(resolve)); // so that places that become free now count together
        continue;
      }
      if (this.#desk.isFull) {
        await sleep(fullMs, this.#end.signal);
        continue;
      }
      this.#asked = Math.min(this.#plan.count, room);
      const askedAt = performance.now();
      try {
        const found = await this.#readOnce(this.#asked);
        failed = 0;
        this.#asked = 0;
        for (const entry of found) this.#receive(entry, 1, false, askedAt);
      } catch (error) {
        this.#asked = 0;
        if (this.isEnded) return;
        await this.#fault(error);
        await sleep(retryMs(++failed), this.#end.signal);
      }
    }
  }

  async #readOnce(count: number): Promise<readonly RawEntry[]> {
    const { group, blockMs, keys } = this.#plan;
    const command = [
      ...['XREADGROUP', 'GROUP', group, this.consumer, 'COUNT', String(count), 'BLOCK', String(blockMs)],
      ...['STREAMS', keys.stream, '>'],
    ];
    const limitMs = blockMs + graceOfReadMs;
    return entriesOf(await this.#link.use(limitMs, (port) => port.send(command, { bytes: true })));
  }

  #receive([rawId, fields]: RawEntry, deliveries: number, isSuspect: boolean, askedAt: number): void {
    const id = text(rawId);
    // A lane that ends gives it back. A group that was made again hands out once more what is in hand.
    if (this.isEnded || this.#desk.has(id) || fields === null) return;
    let read: Read<T>;
    try {
      read = this.#entries.decode(fields);
    } catch (error) {
      this.#desk.refuse(id, this.consumer, deliveries, error);
      return;
    }
    const deadline = askedAt + this.#plan.claimIdleMs;
    const { consumer } = this;
    const is = { isSuspect, isStarted: false, isLost: false, isOut: false };
    const one = {
      id,
      ...read,
      consumer,
      deliveries,
      deadline,
      ...is,
      decision: undefined,
      standing: undefined,
    };
    this.#desk.enter(one);
    this.#waiting.push(one);
    this.#wakeItems?.();
  }

  async #handle(handler: OrderHandler<T>, one: InHand<T>, call: Call): Promise<void> {
    const hold = this.#holdOf(one);
    hold.begin(call);
    one.isStarted = true;
    this.#running++;
    try {
      const renewed = this.#desk.reservations.extend(one);
      // An earlier consumer may have decided it, and died before the server had its acknowledgement.
      if (one.deliveries > 1) await renewed;
      if (call.isOver) return;
      await handled(handler, one.order, hold, 'redis');
      // The work is done, even if another consumer has the order by now.
      if (!(hold.decided || one.isOut || call.isOver)) this.#decide(one, 'confirmed');
    } catch (error) {
      if (!(hold.decided || call.isOver)) this.#failed(one, error);
    } finally {
      this.#leave(one);
    }
  }

  #tookTooLong(one: InHand<T>, error: SluiceError): void {
    if (one.decision === undefined) this.#failed(one, error);
    this.#leave(one);
  }

  #leave(one: InHand<T>): void {
    if (one.isOut) return;
    one.isOut = true;
    this.#running--;
    this.#desk.leave(one);
    this.#wakeReader?.();
    this.#settled(one);
  }

  #failed(one: InHand<T>, error: unknown): void {
    const { order, id, deliveries } = one;
    this.#desk.fail(one, error);
    if (failures.hasSubscribers) failures.publish({ order, error, entry: id, deliveries });
  }

  #decide(one: InHand<T>, decision: 'confirmed' | 'cancelled'): void {
    one.decision = decision;
    this.#desk.counts[decision === 'confirmed' ? 'handled' : 'cancelled']++;
    this.#desk.finish(one);
  }

  #holdOf(one: InHand<T>): Hold {
    return new Hold(one.reservation, one.deliveries, 0, (confirm, _entry, _reservation, quantity) => {
      if (quantity !== 0) {
        throw optionError(
          'Hold.confirm: quantity',
          'none: an order of a stream is confirmed as a whole',
          quantity,
          false,
        );
      }
      if (one.decision !== undefined) return `already-${one.decision}`;
      if (this.#desk.isExpired(one)) {
        this.#desk.counts.expired++;
        return 'expired';
      }
      const decision = confirm ? 'confirmed' : 'cancelled';
      this.#decide(one, decision);
      return one.standing ?? decision;
    });
  }
}
