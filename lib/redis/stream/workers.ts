import { Options, optionError, SluiceError } from '../../input/index.js';
import { checkedLimits } from '../../queue/index.js';
import { countsIn, list, mapOf, redisError, text } from '../client/index.js';
import type { OrderHandler } from './lane.js';
import { Session } from './session.js';
import { checkedWorkers, type Plan, type RedisWorkersOptions } from './worker-options.js';
import { count } from './worker-scripts.js';

/** The options of `RedisWorkers.run`. */
export interface RedisRunOptions {
  /** Ends the run: no more orders are handed out, the handlers that run may end within `graceMs`. */
  readonly signal?: AbortSignal | undefined;
  /** How many handlers of one consumer run at the same time: 1 to 1,024. Default: 1. */
  readonly concurrency?: number | undefined;
  /**
   * The longest time of a handler, in milliseconds: 1 to 2,147,483,647. After it the order has failed. Default: no
   * limit.
   */
  readonly handlerTimeoutMs?: number | undefined;
  /** How long an end waits for the handlers, in milliseconds; Infinity waits for ever. Default: 10,000. */
  readonly graceMs?: number | undefined;
}

/** What the workers of this object have done in their current or last run. */
export interface RedisWorkersStats {
  /** Whether a run is going on. */
  readonly isRunning: boolean;
  /** The consumers of this process. */
  readonly consumers: number;
  /** The handlers that run. */
  readonly running: number;
  /** Orders that this process has and has not decided. */
  readonly inHand: number;
  /** Orders that are decided, before the server knows it. With 4,096 of them no more are handed out. */
  readonly unsettled: number;
  /** Orders that handlers have done. */
  readonly handled: number;
  /** Orders that handlers have cancelled. */
  readonly cancelled: number;
  /** Handlers that failed or took too long. */
  readonly failed: number;
  /** Decisions that came too late: another consumer may have had the order. */
  readonly expired: number;
  /**
   * Orders that handlers have done, but whose reservation was not sold: their hold had run out, or somebody cancelled
   * it. Each is published on `sluice:gate:not-confirmed`.
   */
  readonly unconfirmed: number;
  /** Orders that were claimed, for another try or from a silent consumer. */
  readonly claimed: number;
  /** Entries that these workers have moved to the dead letters. */
  readonly deadLetters: number;
  /** Times that an entry found no room among the dead letters. */
  readonly deadLettersFull: number;
  /** Orders in hand that another consumer has taken over. */
  readonly lost: number;
  /** Orders that the server had as done before it got their acknowledgement. */
  readonly late: number;
  /** Errors of commands, each tried again. */
  readonly faults: number;
  /** Commands that were not answered in time; each cost its connection. */
  readonly silences: number;
  /** The last such error. */
  readonly lastFault: string | undefined;
  /** Times that the pool has grown. */
  readonly grown: number;
  /** Times that the pool has shrunk. */
  readonly shrunk: number;
}

/** What is left to do, as the server counts it. */
export interface RedisBacklog {
  /** Entries of the stream. */
  readonly entries: number;
  /**
   * Entries that consumers of the group have and have not done; entries that wait for their next try are among them.
   */
  readonly pending: number;
  /** Entries that no consumer of the group has read. */
  readonly unread: number;
  /** Whether `unread` is exact; if not, there are more. */
  readonly isExact: boolean;
  /** Entries that wait for their next try. */
  readonly waiting: number;
  /** Dead letters. */
  readonly deadLetters: number;
}

/** A consumer of the group, of any process on any machine. */
export interface RedisConsumer {
  /** Its name: that of its process, and its number there. */
  readonly name: string;
  /** Entries that it has and has not done. */
  readonly pending: number;
  /** How long ago it last asked the server for an order or a claim, in milliseconds. */
  readonly idleMs: number;
}

const where = 'RedisWorkers';

/** Workers that handle the orders of a Redis stream, each order at least once, on any number of machines. */
export class RedisWorkers<T> {
  readonly #plan: Plan<T>;
  #session: Session<T> | undefined;
  #isRunning = false;

  /**
   * Makes the object; connects to nothing yet.
   *
   * @param options The options.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming the option.
   * @example
   * const workers = new RedisWorkers({ redis, stream: 'shop:{x1}:orders', record: Order, group: 'cashiers' });
   */
  constructor(options: RedisWorkersOptions<T>) {
    this.#plan = checkedWorkers(options);
  }

  /**
   * Hands orders to `handler` until `signal` aborts. The handler and its hold are those of `Gate.consume`: the order is
   * done when the handler returns, or when it has called `hold.confirm()` or `hold.cancel()`; both return 'expired' if
   * another consumer may have the order by now, and then decide nothing. If the handler fails, the order comes again
   * after a wait, to any consumer, with `hold.deliveries` one higher; after `maxDeliveries` it is a dead letter. So
   * does the order of a process that has died. While a handler runs its order is renewed.
   *
   * Errors of the connection, and of a server that starts or moves, are tried again for ever, with growing waits: see
   * `stats().lastFault` and the channel `sluice:redis:fault`.
   *
   * @param handler Gets an order and its hold.
   * @param options `signal`, `concurrency`, `handlerTimeoutMs`, `graceMs`.
   * @returns A promise that only rejects.
   * @throws The signal's reason, when the handlers have ended, what they decided is settled, and what they did not is
   *   given back to the group; or after `graceMs`. SluiceError `ERR_SLUICE_CONSUMER` if this object runs already, or if
   *   another process has the name `consumer`; `ERR_SLUICE_REDIS` if the server refuses a command for good, or if the
   *   group was deleted while other groups read the stream. TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * await workers.run(async (order, hold) => charge(order, hold.reservation), { signal: AbortSignal.timeout(60_000) });
   */
  async run(handler: OrderHandler<T>, options?: RedisRunOptions): Promise<void> {
    if (typeof handler !== 'function')
      throw optionError(`${where}.run: handler`, 'a function', handler, true);
    const given = new Options(`${where}.run`, options, [
      'signal',
      'concurrency',
      'handlerTimeoutMs',
      'graceMs',
    ]);
    const limits = checkedLimits(given, given.integer('concurrency', 1, 1_024, 1));
    const signal = given.signal();
    if (this.#isRunning) throw new SluiceError('ERR_SLUICE_CONSUMER', `${where}: this object runs already`);
    this.#isRunning = true;
    this.#session = new Session(this.#plan, handler, limits);
    try {
      await this.#session.run(signal);
    } finally {
      this.#isRunning = false;
    }
  }

  /**
   * Returns what the workers have done. The server is not asked.
   *
   * @returns The counts of the current run, or of the last one.
   * @throws Nothing.
   * @example
   * log.info(workers.stats());
   */
  stats(): RedisWorkersStats {
    const session = this.#session;
    const zero = { handled: 0, cancelled: 0, failed: 0, expired: 0, unconfirmed: 0 };
    const none = { ...zero, deadLetters: 0, deadLettersFull: 0, lost: 0, late: 0 };
    const still = { claimed: 0, faults: 0, silences: 0, grown: 0, shrunk: 0 };
    return {
      isRunning: this.#isRunning,
      consumers: this.#isRunning ? (session?.consumers ?? 0) : 0,
      running: session?.running ?? 0,
      inHand: session?.desk.size ?? 0,
      unsettled: session?.desk.unsettled ?? 0,
      ...(session?.desk.counts ?? none),
      ...(session?.counts ?? still),
      lastFault: session?.lastFault,
    };
  }

  /**
   * Asks the server what is left to do.
   *
   * @returns The counts of the group.
   * @throws SluiceError `ERR_SLUICE_REDIS`.
   * @example
   * const { unread, deadLetters } = await workers.backlog();
   */
  async backlog(): Promise<RedisBacklog> {
    const { redis, keys, group, dead } = this.#plan;
    try {
      const reply = await count.run(redis, [keys.stream, keys.retry(group), dead], [group]);
      const [entries, pending, unread, exact, waiting, deadLetters] = list(reply).map(Number) as number[] as [
        ...[number, number, number, number, number, number],
      ];
      return { entries, pending, unread, isExact: exact === 1, waiting, deadLetters };
    } catch (error) {
      throw redisError(`${where}.backlog`, error);
    }
  }

  /**
   * Asks the server for the consumers of the group: those of this process, and of all others.
   *
   * @returns The consumers; none if the group is not there yet.
   * @throws SluiceError `ERR_SLUICE_REDIS`.
   * @example
   * const silent = (await workers.consumers()).filter(({ idleMs }) => idleMs > 60_000);
   */
  async consumers(): Promise<RedisConsumer[]> {
    const { redis, keys, group } = this.#plan;
    try {
      const reply = await redis.send(['XINFO', 'CONSUMERS', keys.stream, group]);
      return list(reply).map((one) => {
        const facts = mapOf(one);
        const [pending, idleMs] = countsIn([facts.get('pending'), facts.get('idle')], 2) as [number, number];
        return { name: text(facts.get('name')), pending, idleMs };
      });
    } catch (error) {
      if (/^(NOGROUP|ERR no such key)/.test((error as Error).message)) return [];
      throw redisError(`${where}.consumers`, error);
    }
  }
}
