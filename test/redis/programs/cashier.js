// A cashier of the tests: node cashier.js <json>
//
// It handles orders of a gate, and ends itself when the server has confirmed the first one, before the entry of that
// order is acknowledged.

import { createClient } from 'redis';
import { nodeRedis, RedisStock, RedisWorkers } from 'sluice/redis';
import { Order } from '../../gate/order.js';
import { forNodeRedis } from '../client-options.js';

const { port, sale, stream } = JSON.parse(process.argv[2] ?? '{}');
const client = createClient(forNodeRedis(port));
client.on('error', () => {});
await client.connect();

/**
 * @param {import('sluice/redis').RedisPort} redis
 * @returns {import('sluice/redis').RedisPort}
 */
function deadly(redis) {
  return {
    async send(args, options) {
      const reply = await redis.send(args, options);
      // The operation `c` confirms.
      if (args.some((arg) => String(arg).includes('["c",'))) process.kill(process.pid, 'SIGKILL');
      return reply;
    },
    duplicate: async (key) => deadly(await redis.duplicate(key)),
    close: () => redis.close(),
  };
}

const redis = nodeRedis(client);
const stock = await RedisStock.open({ redis: deadly(redis), prefix: 'test', sale, items: [] });
const workers = new RedisWorkers({
  redis,
  stream,
  record: Order,
  group: 'cashiers',
  stock,
  claimIdleMs: 400,
});
await workers.run(() => {});
