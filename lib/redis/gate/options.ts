import type { PartFields } from '../../gate/index.js';
import { Options, optionError } from '../../input/index.js';
import type { Limiter } from '../../limiter/index.js';
import { hashTag } from '../client/index.js';
import type { RedisLimiter } from '../limiter/index.js';
import { insideStock, type RedisStock, type StockInside } from '../stock/index.js';
import { insideRedisQueue, type RedisQueue, type RedisQueueInside } from '../stream/index.js';
import { type Charging, chargingOf } from './charging.js';
import { checkedFields, OrderFields } from './order-fields.js';

/** The options of `RedisGate.create`. */
export interface RedisGateOptions<T> {
  /** The stock of the sale. */
  readonly stock: RedisStock;
  /**
   * Absent: no limit. A `RedisLimiter` limits all machines together, a `Limiter` those of this process; it may not have
   * a depth tier of its own. A limiter with keys needs a `key` in each `admit`.
   */
  readonly limiter?: Limiter | RedisLimiter | undefined;
  /**
   * The queue that admitted orders go to. Its stream is on the server of the stock, and has the hash tag of the sale.
   * Absent: the caller confirms or cancels the reservations of admitted orders by the stock.
   */
  readonly queue?: RedisQueue<T> | undefined;
  /**
   * The fields of an order that make the request to the stock: `sku` and `quantity`, without which each `admit` needs
   * `lines`; `user`, needed if an item has a per-user limit; `id`, which makes admission idempotent. With a queue they
   * are fields of its record, of the types that `Gate.create` takes. Without one the values are numbers, bigints or
   * texts.
   */
  readonly fields?: PartFields<T> | undefined;
}

/** The parts of a gate, checked. */
export interface Parts<T> {
  readonly stock: StockInside;
  readonly charging: Charging;
  readonly queue: RedisQueueInside<T> | undefined;
  readonly fields: OrderFields<T>;
}

export function checkedParts<T>(where: string, options: RedisGateOptions<T>): Parts<T> {
  const given = new Options(where, options, ['stock', 'limiter', 'queue', 'fields']);
  const { stock: ofSale, queue: ofOrders } = given.own as Partial<RedisGateOptions<T>>;
  const stock = insideStock(ofSale);
  if (stock === undefined) throw optionError(`${where}: stock`, 'a RedisStock', ofSale, true);
  const { keys, items } = stock.plan;
  const queue = ofOrders === undefined ? undefined : insideRedisQueue(ofOrders);
  if (ofOrders !== undefined && queue === undefined) {
    throw optionError(`${where}: queue`, 'a RedisQueue', ofOrders, true);
  }
  if (queue !== undefined) {
    const tag = hashTag(keys.items);
    const expected = `a queue whose stream has the hash tag {${tag}}, and is no key of the stock`;
    if (hashTag(queue.stream) !== tag || keys.all.includes(queue.stream))
      throw optionError(`${where}: queue`, expected, queue.stream, false);
  }
  const isLimited = items.some(({ perUser }) => perUser > 0);
  const fields = checkedFields<T>(where, given, ofOrders?.record, isLimited);
  return {
    ...{ stock, queue, fields: new OrderFields(fields) },
    charging: chargingOf(where, given.get('limiter')),
  };
}
