/** A process that sells: by leases, by batches without leases, or by one script per order. */
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import { ioRedis, RedisGate, RedisStock } from 'sluice/redis';

/** @typedef {'leased' | 'unleased' | 'scripts'} Sells */

/** The options that `ioRedis` asks for. */
export const clientOptions = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
};

export const STOCK = 'bench:{one}:stock';
const STREAM = 'bench:{one}:orders';

/** As few commands as an order needs that has an id, a user with a limit, and a hold that runs out. */
const reserveAndEnqueue = `
local stock, stream, users, ids, holds = unpack(KEYS)
local quantity, user, id = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local available = tonumber(redis.call('GET', stock))
if available < quantity then return 0 end
if redis.call('HEXISTS', ids, id) == 1 then return 2 end
if tonumber(redis.call('HGET', users, user) or '0') + quantity > tonumber(ARGV[4]) then return 3 end
redis.call('DECRBY', stock, quantity)
redis.call('HINCRBY', users, user, quantity)
redis.call('HSET', ids, id, 1)
redis.call('ZADD', holds, redis.call('TIME')[1] + 30, id)
redis.call('XADD', stream, 'MAXLEN', '~', 65536, '*', 'quantity', ARGV[1], 'user', user, 'id', id)
return 1`;
const KEYS = [STOCK, STREAM, 'bench:{one}:users', 'bench:{one}:ids', 'bench:{one}:holds'];
const perUser = 1_000_000;

/** How many answers that came at once are counted before the event loop gets its turn. */
const atOnce = 512;

/**
 * @param {{ port: number, sells: Sells, stock: number }} given
 * @returns {Promise<{ sell(user: number): boolean | Promise<boolean>, calls(): number }>}
 */
async function opened({ port, sells, stock: quantity }) {
  if (sells === 'scripts') {
    const redis = /** @type {Redis & { take(...args: unknown[]): Promise<number> }} */ (
      new Redis(port, '127.0.0.1', clientOptions)
    );
    redis.defineCommand('take', { numberOfKeys: KEYS.length, lua: reserveAndEnqueue });
    await once(redis, 'ready');
    let calls = 0;
    return {
      calls: () => calls,
      async sell(user) {
        calls++;
        return (await redis.take(...KEYS, 1, user, `${process.pid}-${user}`, perUser)) === 1;
      },
    };
  }
  const redis = new Redis(port, '127.0.0.1', { ...clientOptions, lazyConnect: true });
  await redis.connect();
  const stock = await RedisStock.open({
    ...{
      redis: ioRedis(redis),
      prefix: 'bench',
      sale: 'one',
      items: [{ sku: 7, quantity, perUser }],
      movements: 65_536,
    },
    ...(sells === 'leased' ? {} : { lease: /** @type {const} */ (false) }),
  });
  const gate = RedisGate.create({
    stock,
    fields: { sku: 'sku', quantity: 'quantity', user: 'user', id: 'id' },
  });
  return {
    calls: () => stock.stats().calls,
    sell(user) {
      const order = { sku: 7, quantity: 1, user, id: `${process.pid}-${user}` };
      if (gate.refusal(order) !== undefined) return false;
      return gate.admit(order).then(({ outcome }) => outcome === 'admitted');
    },
  };
}

async function main() {
  const given = JSON.parse(process.argv[2] ?? '{}');
  const { inFlight, warmUpMs, measuredMs } = given;
  const { sell, calls } = await opened(given);
  process.send?.('ready');
  await once(process, 'message');
  let [answered, won] = [0, 0];
  let isOver = false;
  const loop = async (/** @type {number} */ first) => {
    for (let n = first, quick = 0; !isOver; n += inFlight) {
      const answer = sell(n);
      if (typeof answer === 'boolean') {
        if (answer) won++;
        if (++quick % atOnce === 0) await new Promise((resolve) => setImmediate(resolve));
      } else {
        quick = 0;
        if (await answer) won++;
      }
      answered++;
    }
  };
  const running = Array.from({ length: inFlight }, (_, first) => loop(first));
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  const before = { answered, calls: calls() };
  const startedAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, measuredMs));
  const per = measuredMs / (performance.now() - startedAt); // the timer is late on a busy machine
  const during = { answered: answered - before.answered, calls: calls() - before.calls };
  isOver = true;
  await Promise.all(running);
  process.send?.({ answered: during.answered * per, calls: during.calls * per, won });
  process.disconnect();
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main();
  process.exit(0);
}
