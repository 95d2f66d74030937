// @ts-check
// Orders in a Redis stream: stored once by their id, handled at least once, on any number of machines.
import { createClient } from 'redis';
import { record, u16, u32, u53 } from 'sluice';
import { nodeRedis, RedisQueue, RedisWorkers } from 'sluice/redis';

const Order = record({ orderId: u53, sku: u32, quantity: u16 });
const { REDIS_URL: url = 'redis://127.0.0.1:6379' } = process.env;
const client = createClient({ url, disableOfflineQueue: true });
client.on('error', (error) => console.error(error.message));
await client.connect();
const redis = nodeRedis(client);
const stream = 'example:{sale}:orders';

const orders = new RedisQueue({ redis, stream, record: Order, id: 'orderId' });
for (const orderId of [1, 2, 1]) {
  const { duplicate } = await orders.push({ orderId, sku: 1001, quantity: 1 });
  console.log(`order ${orderId}: ${duplicate ? 'was stored before' : 'stored'}`);
}

const workers = new RedisWorkers({ redis, stream, record: Order, group: 'cashiers' });
const end = new AbortController();
let handled = 0;
const run = workers.run(
  async ({ orderId }) => {
    console.log(`handled order ${orderId}`);
    if (++handled === 2) end.abort(); // a service ends on SIGTERM
  },
  { signal: end.signal },
);
await run.catch((error) => console.log(error.name));
client.destroy();

// Prints:
// order 1: stored
// order 2: stored
// order 1: was stored before
// handled order 1
// handled order 2
// AbortError
