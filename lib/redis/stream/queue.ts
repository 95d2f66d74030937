import { performance } from 'node:perf_hooks';
import {
  copiedList,
  isRecordError,
  listedError,
  Options,
  onAbort,
  optionError,
  SluiceError,
} from '../../input/index.js';
import { RecordType } from '../../record/index.js';
import {
  checkedPort,
  countsIn,
  faultOf,
  Keys,
  list,
  noReply,
  type RedisPort,
  redisError,
  retryMs,
  sleep,
  text,
  within,
} from '../client/index.js';
import { type AuditReport, auditStream } from './audit.js';
import { canBeId, type Encoded, EntryForm } from './entry.js';
import { pushOrders } from './push-script.js';

/** The options of a `RedisQueue`. */
export interface RedisQueueOptions<T> {
  /** What `nodeRedis` or `ioRedis` returned. */
  readonly redis: RedisPort;
  /**
   * The key of the stream, for example `shop:{x1}:orders`. A cluster keeps everything of a queue on the server of the
   * hash tag.
   */
  readonly stream: string;
  /** The type of the orders. */
  readonly record: RecordType<T>;
  /** The name of the field that identifies an order: an integer or a text. */
  readonly id: keyof T & string;
  /** The most entries of the stream: 1 to 1,000,000,000. Default: 100,000. More orders are refused, none is dropped. */
  readonly maxLength?: number | undefined;
  /**
   * How long the server remembers the id of an order, in milliseconds: 1,000 to 2,592,000,000. Default: an hour. The
   * server needs about 200 bytes for each order of this time.
   */
  readonly rememberMs?: number | undefined;
  /**
   * The most orders for which the server's answer is outstanding: 1 to 1,000,000. Default: 10,000. An order counts also
   * after its push has timed out or was aborted, as long as the client keeps its command.
   */
  readonly maxInFlight?: number | undefined;
}

/** The options of a push. */
export interface RedisPushOptions {
  /** How long to wait for the server's answer, in milliseconds: 1 to 3,600,000. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait. The order may be stored all the same. */
  readonly signal?: AbortSignal | undefined;
}

/** Where an order is. */
export interface Pushed {
  /** The id of its entry in the stream. */
  readonly entry: string;
  /** Whether it had been pushed before. */
  readonly duplicate: boolean;
}

/** The answer to one order of `pushMany`. */
export type PushManyAnswer =
  | ({
      /** The order is in the stream. */
      readonly outcome: 'stored';
    } & Pushed)
  | {
      /** The stream has `maxLength` entries; or the id belongs to an order with another body. */
      readonly outcome: 'full' | 'id-mismatch';
    };

/** What a `RedisQueue` object has done. */
export interface RedisQueueStats {
  /** Orders that the server stored. */
  readonly pushed: number;
  /** Orders that the server had stored before, with the same body. */
  readonly duplicates: number;
  /** Orders that were refused because the stream was full. */
  readonly full: number;
  /** Orders that were refused because their id belongs to another order. */
  readonly mismatches: number;
  /** Attempts after the first one. */
  readonly retries: number;
  /** Orders for which the server's answer is outstanding, as `maxInFlight` counts them. */
  readonly inFlight: number;
}

/** The parts of a queue, for a gate. */
export interface RedisQueueInside<T> {
  readonly stream: string;
  readonly form: EntryForm<T>;
  readonly maxLength: number;
}
/** Returns undefined if `queue` is none of this copy of sluice. */
export let insideRedisQueue: <T>(queue: RedisQueue<T>) => RedisQueueInside<T> | undefined;

/** The most orders of one script: about a millisecond of the server. */
const ordersPerScript = 128;
const listMax = 10_000;
const monthMs = 2_592_000_000;

/** A queue of orders in a Redis stream, for workers on any machine. It stores each order once, by its id. */
export class RedisQueue<T> {
  /** The type of the orders. */
  readonly record: RecordType<T>;
  readonly #redis: RedisPort;
  readonly #keys: Keys;
  readonly #form: EntryForm<T>;
  readonly #maxLength: number;
  readonly #rememberMs: number;
  readonly #maxInFlight: number;
  #inFlight = 0;
  readonly #counts = { pushed: 0, duplicates: 0, full: 0, mismatches: 0, retries: 0 };

  static {
    insideRedisQueue = (queue) => {
      if (!(typeof queue === 'object' && queue !== null && #form in queue)) return undefined;
      return { stream: queue.#keys.stream, form: queue.#form, maxLength: queue.#maxLength };
    };
  }

  /**
   * Makes the object; sends nothing yet.
   *
   * @param options The options.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming the option.
   * @example
   * const redisQueue = new RedisQueue({ redis, stream: 'shop:{x1}:orders', record: Order, id: 'orderId' });
   */
  constructor(options: RedisQueueOptions<T>) {
    const where = 'RedisQueue';
    const known = ['redis', 'stream', 'record', 'id', 'maxLength', 'rememberMs', 'maxInFlight'];
    const given = new Options(where, options, known);
    this.#redis = checkedPort(where, given.get('redis'));
    this.#keys = new Keys(where, given.get('stream'));
    this.record = checkedRecord<T>(where, given.get('record'));
    const id = given.get('id');
    if (typeof id !== 'string' || !canBeId(this.record.fields[id]?.type)) {
      throw optionError(
        `${where}: id`,
        'the name of a field of whole numbers or of text',
        id,
        typeof id !== 'string',
      );
    }
    this.#form = new EntryForm(this.record, id as keyof T & string);
    this.#maxLength = given.integer('maxLength', 1, 1_000_000_000, 100_000);
    this.#rememberMs = given.integer('rememberMs', 1_000, monthMs, 3_600_000);
    this.#maxInFlight = given.integer('maxInFlight', 1, 1_000_000, 10_000);
  }

  /**
   * Stores an order. Resolves when the server has stored it: how durable that is depends on the server's settings (see
   * docs/guide/redis.md). A lost reply is no matter: `push` asks again until `timeoutMs` are over, and the server
   * stores an id once. After a time-out push the same order again.
   *
   * @param order The order.
   * @param options `timeoutMs`, `signal`.
   * @returns The id of its entry, and whether it was there before.
   * @throws SluiceError `ERR_SLUICE_FULL` if the stream has `maxLength` entries; `ERR_SLUICE_ID` if the id was pushed
   *   with another body; `ERR_SLUICE_TIMEOUT` if no answer came: the order may be stored or not; `ERR_SLUICE_REDIS` if
   *   the server refuses the command; `ERR_SLUICE_WAITERS` if `maxInFlight` orders are in flight; the signal's reason.
   *   TypeError, RangeError (`ERR_SLUICE_FIELD`) naming the field.
   * @example
   * const { entry, duplicate } = await redisQueue.push(order);
   */
  async push(order: T, options?: RedisPushOptions): Promise<Pushed> {
    const limits = checkedPush('RedisQueue.push', options);
    const [answer] = await this.#pushAll([this.#form.encode(order)], limits);
    switch (answer?.outcome) {
      case 'stored':
        return { entry: answer.entry, duplicate: answer.duplicate };
      case 'full':
        throw new SluiceError(
          'ERR_SLUICE_FULL',
          `RedisQueue.push: ${this.#keys.stream} has ${this.#maxLength} entries`,
        );
      default:
        throw new SluiceError(
          'ERR_SLUICE_ID',
          'RedisQueue.push: an order with this id and another body was pushed before',
        );
    }
  }

  /**
   * Stores orders, up to 128 with one script. Each is answered for itself: one that is refused stops no other.
   *
   * @param orders At most 10,000 orders.
   * @param options `timeoutMs` (for all), `signal`.
   * @returns The answers, in the order of `orders`.
   * @throws As `push`, but for 'full' and 'id-mismatch', which are answers. A bad order is an error that names its
   *   index before anything is sent. After any other error push all of them again: what is stored is answered as a
   *   duplicate.
   * @example
   * const answers = await redisQueue.pushMany([first, second]);
   */
  async pushMany(orders: readonly T[], options?: RedisPushOptions): Promise<PushManyAnswer[]> {
    const limits = checkedPush('RedisQueue.pushMany', options);
    const copy = copiedList(orders, 0, listMax);
    if (copy === undefined) {
      throw optionError('RedisQueue.pushMany: orders', `an array of at most ${listMax} orders`, orders, true);
    }
    const encoded = copy.map((order, i) => {
      try {
        return this.#form.encode(order as T);
      } catch (error) {
        throw isRecordError(error) ? listedError(error, i) : error;
      }
    });
    return await this.#pushAll(encoded, limits);
  }

  /**
   * Asks the server how many entries the stream has: orders that no worker has finished.
   *
   * @returns The number of entries.
   * @throws SluiceError `ERR_SLUICE_REDIS`.
   * @example
   * const waiting = await redisQueue.depth();
   */
  async depth(): Promise<number> {
    try {
      const [depth] = countsIn([await this.#redis.send(['XLEN', this.#keys.stream])], 1);
      return depth as number;
    } catch (error) {
      throw redisError('RedisQueue.depth', error);
    }
  }

  /**
   * Returns what this object has done. The server is not asked.
   *
   * @returns The counts.
   * @throws Nothing.
   * @example
   * if (redisQueue.stats().full > 0) refuse();
   */
  stats(): RedisQueueStats {
    return { ...this.#counts, inFlight: this.#inFlight };
  }

  /**
   * Looks for entries that a damaged or foreign file of the server may have left, and for settings of the server that
   * can lose orders. Reads the stream in pages; changes nothing.
   *
   * @param options `maxEntries`: how many entries to read, from the oldest on; 1 to 1,000,000; default 100,000.
   * @returns The report: see `AuditReport`.
   * @throws SluiceError `ERR_SLUICE_REDIS`; TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * const { twice, warnings } = await redisQueue.audit();
   */
  async audit(options?: { readonly maxEntries?: number }): Promise<AuditReport> {
    const given = new Options('RedisQueue.audit', options, ['maxEntries']);
    const maxEntries = given.integer('maxEntries', 1, 1_000_000, 100_000);
    try {
      return await auditStream(this.#redis, this.#keys, this.#form.schema, this.#rememberMs, maxEntries);
    } catch (error) {
      throw redisError('RedisQueue.audit', error);
    }
  }

  async #pushAll(orders: readonly Encoded[], { timeoutMs, signal }: PushLimits): Promise<PushManyAnswer[]> {
    signal?.throwIfAborted();
    if (this.#inFlight + orders.length > this.#maxInFlight) {
      throw new SluiceError(
        'ERR_SLUICE_WAITERS',
        `RedisQueue: ${this.#inFlight} orders are in flight, maxInFlight is ${this.#maxInFlight}`,
      );
    }
    this.#inFlight += orders.length;
    const commands = new Set<Promise<unknown>>();
    const end = new AbortController();
    const forget = onAbort(signal, () => end.abort());
    try {
      const deadline = performance.now() + timeoutMs;
      const answers: PushManyAnswer[] = [];
      for (let at = 0; at < orders.length; at += ordersPerScript) {
        const some = orders.slice(at, at + ordersPerScript);
        answers.push(...(await this.#store(some, deadline, end.signal, commands)));
        signal?.throwIfAborted();
      }
      return answers;
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      forget();
      if (commands.size === 0) this.#inFlight -= orders.length;
      else {
        void Promise.allSettled(commands).then(() => {
          this.#inFlight -= orders.length;
        });
      }
    }
  }

  /** Runs the script until the server has answered, or the time is over. `commands` gets those without an answer. */
  async #store(
    orders: readonly Encoded[],
    deadline: number,
    end: AbortSignal,
    commands: Set<Promise<unknown>>,
  ): Promise<PushManyAnswer[]> {
    const keys = [this.#keys.stream, ...orders.map(({ id }) => this.#keys.id(id))];
    const args = [
      ...[this.#maxLength, this.#rememberMs, this.#form.schema],
      ...orders.flatMap(({ id, digest, body }) => [id, digest, body]),
    ];
    for (let attempt = 1, cause: unknown; ; attempt++) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || end.aborted) throw noAnswer(cause);
      try {
        const command = pushOrders.run(this.#redis, keys, args);
        commands.add(command);
        const answered = (): boolean => commands.delete(command);
        command.then(answered, answered);
        const reply = await untilAborted(within(leftMs, command), end);
        const answers = list(reply).map(text);
        if (answers.length !== orders.length || !answers.every(isAnswer))
          throw noReply('one answer per order');
        return answers.map((answer) => this.#counted(answer));
      } catch (error) {
        if (faultOf(error) === 'final') throw redisError('RedisQueue', error);
        cause = error;
        this.#counts.retries++;
        await sleep(Math.min(retryMs(attempt), Math.max(0, deadline - performance.now())), end);
      }
    }
  }

  #counted(answer: string): PushManyAnswer {
    const entry = answer.slice(1);
    switch (answer[0]) {
      case 's':
        this.#counts.pushed++;
        return { outcome: 'stored', entry, duplicate: false };
      case 'd':
        this.#counts.duplicates++;
        return { outcome: 'stored', entry, duplicate: true };
      case 'f':
        this.#counts.full++;
        return { outcome: 'full' };
      default:
        this.#counts.mismatches++;
        return { outcome: 'id-mismatch' };
    }
  }
}

/** Whether `answer` is one of the answers of `pushOrders`. */
function isAnswer(answer: string): boolean {
  return /^(?:[sd]\d+-\d+|[fm])$/.test(answer);
}

interface PushLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

function checkedPush(where: string, options: RedisPushOptions | undefined): PushLimits {
  const given = new Options(where, options, ['timeoutMs', 'signal']);
  return { timeoutMs: given.number('timeoutMs', 1, 3_600_000, 5_000), signal: given.signal() };
}

export function checkedRecord<T>(where: string, record: unknown): RecordType<T> {
  if (!(record instanceof RecordType))
    throw optionError(`${where}: record`, 'what record() returned', record, true);
  return record as RecordType<T>;
}

function noAnswer(cause: unknown): SluiceError {
  const message = 'RedisQueue: no answer in time; the orders may be stored or not, push the same ones again';
  return new SluiceError('ERR_SLUICE_TIMEOUT', message, { cause });
}

/** Rejects when `signal` aborts, whatever `promise` does. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {});
  let forget = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    forget = onAbort(signal, () => reject(new Error('aborted')));
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    forget();
  }
}
