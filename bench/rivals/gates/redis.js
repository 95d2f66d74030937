/**
 * Redis: the stock and the queue on a server of this machine, as several processes usually share them.
 *
 * One Lua script reserves and enqueues in one step, as it must. It reads the stock, refuses the order or takes the
 * units, and adds the order (XADD) to a stream that is trimmed by `MAXLEN ~`, the cheap form. ioredis calls it by
 * EVALSHA (`defineCommand`) on one connection. The script does less than a gate: it asks no limiter, and its
 * reservations never expire. The server writes nothing to disk, and is reached through the loopback, the shortest way.
 *
 * With one call in flight, the figure is the cost of one request after the other. With 256 in flight it is the
 * throughput of a busy server: ioredis writes all commands of one turn of the event loop at once. Its option
 * `enableAutoPipelining` made no difference.
 */
import { Redis } from 'ioredis';
import {
  assertAll,
  CAPACITY,
  ordersToPlace,
  settings,
} from '../../harness/repository-only/loads/gate-load.js';
import { startRedis, whyNoRedis } from './redis-server.js';

/** @typedef {import('../../harness/repository-only/loads/gate-load.js').Order} Order */

const reserveAndEnqueue = `
local quantity = tonumber(ARGV[1])
local available = tonumber(redis.call('GET', KEYS[1]))
if available < quantity then return 0 end
redis.call('DECRBY', KEYS[1], quantity)
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 65536, '*',
  'quantity', ARGV[1], 'order', ARGV[2], 'user', ARGV[3], 'sku', ARGV[4])
return 1`;

export const STOCK = '{sale}:stock';
export const STREAM = '{sale}:orders';
const ADMITTED = 1;

/**
 * @typedef {Redis & { admit(stock: string, stream: string, quantity: number, orderId: number, user: number,
 *   sku: number): Promise<number> }} Client
 */

/**
 * @param {number} port
 * @param {number} stock
 */
export async function connect(port, stock) {
  const redis = /** @type {Client} */ (new Redis(port, '127.0.0.1'));
  redis.defineCommand('admit', { numberOfKeys: 2, lua: reserveAndEnqueue });
  await redis.set(STOCK, stock);
  return redis;
}

/**
 * @param {'admitted' | 'sold-out'} outcome
 * @param {number} inFlight
 * @returns {import('../../harness/repository-only/caller.js').Case}
 */
function admits(outcome, inFlight) {
  const { stock } = settings[outcome];
  const calls = inFlight === 1 ? 256 : CAPACITY;
  return {
    unavailable: whyNoRedis,
    async share() {
      const { port, stop } = await startRedis();
      return { data: port, dispose: stop };
    },
    async open(port) {
      const redis = await connect(port, stock);
      const orders = ordersToPlace();
      let counted = 0;
      let left = 0;

      async function admitOneAfterTheOther() {
        while (left > 0) {
          const { orderId, user, sku, quantity } = /** @type {Order} */ (orders[--left]);
          const answer = await redis.admit(STOCK, STREAM, quantity, orderId, user, sku);
          if ((answer === ADMITTED) === (outcome === 'admitted')) counted++;
        }
      }

      return {
        calls,
        async turn() {
          left = calls;
          await Promise.all(Array.from({ length: inFlight }, admitOneAfterTheOther));
        },
        async check(made) {
          assertAll(outcome, counted, made);
          const taken = stock - Number(await redis.get(STOCK));
          assertAll('taken from the stock', taken, outcome === 'admitted' ? made : 0);
        },
        async close() {
          await redis.quit();
        },
      };
    },
  };
}

export const file = import.meta.url;

export const cases = {
  'admitted, 1 in flight': admits('admitted', 1),
  'admitted, 256 in flight': admits('admitted', 256),
  'sold-out, 1 in flight': admits('sold-out', 1),
  'sold-out, 256 in flight': admits('sold-out', 256),
};
