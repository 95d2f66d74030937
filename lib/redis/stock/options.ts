import { type Complete, Options, optionError } from '../../input/index.js';
import { holdMsMax } from '../../stock/index.js';
import { checkedPort, type RedisPort } from '../client/index.js';
import { copiedItems, type RedisStockItem } from './items.js';
import { SaleKeys, skuKey } from './keys.js';

/** How a process leases units. */
export interface LeaseOptions {
  /**
   * How long units are leased, in milliseconds: 100 to 60,000. Default: 2,000. The units of a process that has died are
   * on sale again after this time.
   */
  readonly ttlMs?: number | undefined;
  /**
   * How long before the end of its lease a process stops to sell from it, in milliseconds: 0 to half of `ttlMs`.
   * Default: a tenth of `ttlMs`.
   */
  readonly marginMs?: number | undefined;
  /** The most units of an item that a process leases: 1 to 1,000,000. Default: 1,024. */
  readonly maxBlock?: number | undefined;
  /**
   * How often a process that sells asks for units and gives back what it does not need, in milliseconds: 10 to half of
   * `ttlMs`. Default: 100, or a quarter of `ttlMs` if that is less. A process without orders asks every third of
   * `ttlMs`.
   */
  readonly heartbeatMs?: number | undefined;
}

/** How durable an order is before its caller is told that it is settled. */
export interface DurabilityOptions {
  /** The number of replicas that must have it: 0 to 10. Default: 0. */
  readonly replicas?: number | undefined;
  /** Whether the server must have written it to its disk (WAITAOF; Redis 7.2 or newer). Default: false. */
  readonly fsync?: boolean | undefined;
  /** How long to wait for that before the order is sent again, in milliseconds: 10 to 60,000. Default: 500. */
  readonly timeoutMs?: number | undefined;
}

/** The options of `RedisStock.open`. */
export interface RedisStockOptions {
  /** What `nodeRedis` or `ioRedis` returned. The stock opens a connection of its own from it. */
  readonly redis: RedisPort;
  /** What the keys begin with: 1 to 128 characters without braces. */
  readonly prefix: string;
  /**
   * The name of the sale: 1 to 128 characters without braces. It is the hash tag of the keys, so a cluster keeps the
   * sale on one server.
   */
  readonly sale: string;
  /**
   * The items on sale, each sku once, at most 10,000. An item that the sale has already stays as it is; it must have
   * the same `perUser`.
   */
  readonly items: readonly RedisStockItem[];
  /** How units are leased; false: every order asks the server. */
  readonly lease?: LeaseOptions | false | undefined;
  /**
   * What the server must have done before an order counts as settled. Default: it has carried it out. With a cluster's
   * client only the default: there `min-replicas-to-write` and `appendfsync` of the servers decide.
   */
  readonly durability?: DurabilityOptions | undefined;
  /** How long a reservation is held before it expires, in milliseconds: 1 to 86,400,000. Default: 30,000. */
  readonly holdMs?: number | undefined;
  /**
   * How long a reservation that has ended, its id, and an id that was refused, are remembered, in milliseconds: 60,000
   * to 2,592,000,000. Default: an hour. The server needs about 500 bytes for each.
   */
  readonly rememberMs?: number | undefined;
  /** At least how many changes the server keeps for `movements()`: 0 (none) to 1,000,000. Default: 4,096. */
  readonly movements?: number | undefined;
  /** How long a call waits for the server's answer, in milliseconds: 10 to 3,600,000. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
  /** The most calls that wait for the server's answer: 1 to 1,000,000. Default: 10,000. */
  readonly maxPending?: number | undefined;
}

/** The options of a sale, checked. */
export interface Plan {
  readonly redis: RedisPort;
  readonly keys: SaleKeys;
  readonly items: readonly Complete<RedisStockItem>[];
  /** Undefined: no leases. */
  readonly lease: Complete<LeaseOptions> | undefined;
  readonly durability: Complete<DurabilityOptions>;
  readonly holdMs: number;
  readonly rememberMs: number;
  readonly movements: number;
  readonly timeoutMs: number;
  readonly maxPending: number;
}

export function checkedPlan(where: string, options: RedisStockOptions): Plan {
  const given = new Options(where, options, [
    ...['redis', 'prefix', 'sale', 'items', 'lease', 'durability', 'holdMs', 'rememberMs', 'movements'],
    ...['timeoutMs', 'maxPending'],
  ]);
  const redis = checkedPort(where, given.get('redis'));
  const keys = new SaleKeys(where, given.get('prefix'), given.get('sale'));
  const items = copiedItems(where, given.get('items'));
  const seen = new Set<string>();
  for (const [i, { sku }] of items.entries()) {
    if (seen.has(skuKey(sku)))
      throw optionError(`${where}: items[${i}]: sku`, 'a sku that no other item has', sku, false);
    seen.add(skuKey(sku));
  }
  return {
    ...{ redis, keys, items, lease: checkedLease(given), durability: checkedDurability(where, given, redis) },
    holdMs: given.number('holdMs', 1, holdMsMax, 30_000),
    rememberMs: given.integer('rememberMs', 60_000, 2_592_000_000, 3_600_000),
    movements: given.integer('movements', 0, 1_000_000, 4_096),
    timeoutMs: given.number('timeoutMs', 10, 3_600_000, 5_000),
    maxPending: given.integer('maxPending', 1, 1_000_000, 10_000),
  };
}

function checkedLease(given: Options): Complete<LeaseOptions> | undefined {
  if (given.get('lease') === false) return undefined;
  const lease = given.nested('lease', ['ttlMs', 'marginMs', 'maxBlock', 'heartbeatMs']);
  if (lease === undefined) return { ttlMs: 2_000, marginMs: 200, maxBlock: 1_024, heartbeatMs: 100 };
  const ttlMs = lease.integer('ttlMs', 100, 60_000, 2_000);
  return {
    ttlMs,
    marginMs: lease.integer('marginMs', 0, ttlMs / 2, Math.ceil(ttlMs / 10)),
    maxBlock: lease.integer('maxBlock', 1, 1_000_000, 1_024),
    heartbeatMs: lease.integer('heartbeatMs', 10, ttlMs / 2, Math.min(100, Math.floor(ttlMs / 4))),
  };
}

function checkedDurability(where: string, given: Options, redis: RedisPort): Complete<DurabilityOptions> {
  const durability = given.nested('durability', ['replicas', 'fsync', 'timeoutMs']);
  const replicas = durability?.integer('replicas', 0, 10, 0) ?? 0;
  const fsync = durability?.boolean('fsync', false) ?? false;
  if (redis.isCluster === true && (replicas > 0 || fsync)) {
    // The client would ask any master: one that has written nothing for this sale says yes at once.
    const expected =
      'none with a cluster: WAIT has no key. Set min-replicas-to-write, appendfsync on the servers';
    throw optionError(`${where}: durability`, expected, given.get('durability'), true);
  }
  return { replicas, fsync, timeoutMs: durability?.integer('timeoutMs', 10, 60_000, 500) ?? 500 };
}
