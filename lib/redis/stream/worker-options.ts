import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Backoff, type BackoffOptions, checkedBackoff } from '../../backoff.js';
import { Options, optionError } from '../../input/index.js';
import type { RecordType } from '../../record/index.js';
import { checkedName, checkedPort, hashTag, Keys, type RedisPort } from '../client/index.js';
import { insideStock, type RedisStock } from '../stock/index.js';
import { checkedRecord } from './queue.js';
import type { StockOfWorkers } from './reservations.js';

/** The options of `RedisWorkers`. */
export interface RedisWorkersOptions<T> {
  /** What `nodeRedis` or `ioRedis` returned. The workers open connections of their own from it. */
  readonly redis: RedisPort;
  /** The key of the stream, as the `RedisQueue` has it. */
  readonly stream: string;
  /** The type of the orders, as the `RedisQueue` has it. */
  readonly record: RecordType<T>;
  /**
   * The stock in which a `RedisGate` has reserved the orders of the stream, with the same hash tag: the workers renew,
   * confirm and cancel their reservations. Without it a handler must do that itself, by `hold.reservation`.
   */
  readonly stock?: RedisStock | undefined;
  /**
   * The name of the consumer group: each order goes to one worker of each group. It is made if it is not there, and
   * gets all that is in the stream.
   */
  readonly group: string;
  /**
   * The name of this process among the group's consumers. A name that stays the same over restarts lets the next
   * process go on at once with what the last one had in hand; only one process can have it at a time. Default: a new
   * name.
   */
  readonly consumer?: string | undefined;
  /**
   * How many consumers this process has: 1 (default), a number up to 64, or `{ min, max }`: then it follows the number
   * of orders that wait.
   */
  readonly pool?:
    | number
    | {
        /** The fewest consumers: at least 1. */
        readonly min: number;
        /** The most consumers: `min` to 64. */
        readonly max: number;
      }
    | undefined;
  /** The most orders of one read: 5 to 20. No more are read than handlers are free. Default: 20. */
  readonly count?: number | undefined;
  /**
   * How long a read waits for orders, in milliseconds: 10 to 60,000, and at most half of `claimIdleMs`. Default: 5,000.
   */
  readonly blockMs?: number | undefined;
  /**
   * After how many milliseconds without a renewal an order is given to another consumer: 100 to 3,600,000. A process
   * renews its orders by itself, so this is the time to notice a dead one. Default: 30,000.
   */
  readonly claimIdleMs?: number | undefined;
  /** How often to look for such orders, in milliseconds: 10 to 60,000. Default: 1,000. */
  readonly patrolMs?: number | undefined;
  /** How often an order is handed out before it becomes a dead letter: 1 to 1,000. Default: 5. */
  readonly maxDeliveries?: number | undefined;
  /** How long an order waits after each failure of its handler. */
  readonly backoff?: BackoffOptions | undefined;
  /**
   * The key of the stream of dead letters; it must have the hash tag of `stream`. Default: `{orders}:dead` for the
   * stream `orders`, and `shop:{x1}:orders:dead` for `shop:{x1}:orders`.
   */
  readonly deadLetters?: string | undefined;
  /**
   * The most dead letters: 1 to 1,000,000,000. An order that finds no room stays in the stream, and is looked at again
   * every minute. Default: 100,000.
   */
  readonly maxDeadLetters?: number | undefined;
}

/** The options, checked. */
export interface Plan<T> {
  readonly redis: RedisPort;
  readonly keys: Keys;
  readonly record: RecordType<T>;
  readonly stock: StockOfWorkers | undefined;
  readonly group: string;
  readonly consumer: string;
  /** Whether the program named the consumer, so that its name needs a lease. */
  readonly isNamed: boolean;
  readonly pool: { readonly min: number; readonly max: number };
  readonly count: number;
  readonly blockMs: number;
  readonly claimIdleMs: number;
  readonly patrolMs: number;
  readonly maxDeliveries: number;
  readonly backoff: Backoff;
  readonly dead: string;
  readonly maxDead: number;
}

const where = 'RedisWorkers';
const poolMax = 64;
/**
 * Below, the round trips cost more than the orders; above, a reply that is lost counts more deliveries and little is
 * gained: docs/internals/decisions, 20.
 */
const [countMin, countMax] = [5, 20];

export function checkedWorkers<T>(options: RedisWorkersOptions<T>): Plan<T> {
  const given = new Options(where, options, [
    ...[
      'redis',
      'stream',
      'record',
      'stock',
      'group',
      'consumer',
      'pool',
      'count',
      'blockMs',
      'claimIdleMs',
      'patrolMs',
    ],
    ...['maxDeliveries', 'backoff', 'deadLetters', 'maxDeadLetters'],
  ]);
  const redis = checkedPort(where, given.get('redis'));
  const keys = new Keys(where, given.get('stream'));
  const dead = given.has('deadLetters')
    ? keys.beside(`${where}: deadLetters`, given.get('deadLetters'))
    : keys.dead;
  if (dead === keys.stream)
    throw optionError(`${where}: deadLetters`, 'another key than stream', dead, false);
  const isNamed = given.has('consumer');
  const claimIdleMs = given.integer('claimIdleMs', 100, 3_600_000, 30_000);
  // An order that is read at the end of a wait must be renewed before its time is over.
  const blockMsMax = Math.min(60_000, Math.floor(claimIdleMs / 2));
  return {
    redis,
    keys,
    record: checkedRecord(where, given.get('record')),
    stock: checkedStock(given.get('stock'), keys),
    group: checkedName(`${where}: group`, given.get('group')),
    consumer: isNamed ? checkedName(`${where}: consumer`, given.get('consumer')) : newName(),
    isNamed,
    pool: checkedPool(given),
    count: given.integer('count', countMin, countMax, countMax),
    blockMs: given.integer('blockMs', 10, blockMsMax, Math.min(5_000, blockMsMax)),
    claimIdleMs,
    patrolMs: given.integer('patrolMs', 10, 60_000, 1_000),
    maxDeliveries: given.integer('maxDeliveries', 1, 1_000, 5),
    backoff: checkedBackoff(given),
    dead,
    maxDead: given.integer('maxDeadLetters', 1, 1_000_000_000, 100_000),
  };
}

function checkedStock(given: unknown, { stream }: Keys): StockOfWorkers | undefined {
  if (given === undefined) return undefined;
  const stock = insideStock(given);
  if (stock === undefined) throw optionError(`${where}: stock`, 'a RedisStock', given, true);
  const { keys, holdMs } = stock.plan;
  if (hashTag(keys.items) !== hashTag(stream)) {
    throw optionError(
      `${where}: stock`,
      `a stock of the sale ${hashTag(stream)}, as the stream is`,
      keys.begin,
      false,
    );
  }
  return { stock: given as RedisStock, holdMs };
}

function checkedPool(given: Options): { readonly min: number; readonly max: number } {
  const pool = given.get('pool');
  if (typeof pool !== 'object') {
    const size = given.integer('pool', 1, poolMax, 1);
    return { min: size, max: size };
  }
  const range = given.nested('pool', ['min', 'max']) as Options;
  const min = range.integer('min', 1, poolMax);
  return { min, max: range.integer('max', min, poolMax) };
}

function newName(): string {
  const host = hostname()
    .replace(/[^\w.-]/g, '-')
    .slice(0, 64);
  return `${host}-${process.pid}-${randomBytes(6).toString('hex')}`;
}
