// @ts-check
import { parentPort, workerData } from 'node:worker_threads';
import { createClient } from 'redis';
import { Stock } from 'sluice';
import { nodeRedis, RedisWorkers } from 'sluice/redis';
import { monotonicMs } from './clock.js';
import { Payments } from './payments.js';
import { GROUP, StreamedOrder } from './stream-schema.js';

/**
 * What the cashier of the stream hands over at the end of the sale.
 * @typedef {object} StreamCashierBooks
 * @property {import('./cashier.js').HandledOrder[]} handled
 * @property {number} again  how often an order was handed out again
 * @property {import('sluice/redis').RedisWorkersStats} stats
 */

if (parentPort === null) throw new Error('stream-cashier.js runs as a worker thread: start main.js');

/** @type {{ stock: import('sluice').StockHandle, url: string, stream: string }} */
const { stock: handle, url, stream } = workerData;
const stock = Stock.attach(handle);
const client = createClient({ url, disableOfflineQueue: true });
client.on('error', () => {}); // the workers say in stats() why they wait
await client.connect();
const workers = new RedisWorkers({
  redis: nodeRedis(client),
  stream,
  record: StreamedOrder,
  group: GROUP,
  // In a hurry: a sale is short, and the server may be killed while it runs.
  blockMs: 200,
  claimIdleMs: 2_000,
  patrolMs: 200,
});
const payments = new Payments();
const end = new AbortController();
parentPort.on('message', () => end.abort());

/** @type {Map<bigint, import('./cashier.js').HandledOrder>} each order once, also if the stream hands it out again */
const handled = new Map();
let again = 0;

const run = workers.run(
  async ({ orderId: id, user, sku, quantity, reservation, admittedAt }) => {
    if (handled.has(reservation)) again += 1;
    const takenAt = monotonicMs();
    const paid = await payments.charge(id);
    const decidedAt = monotonicMs();
    const result = paid ? stock.confirm(reservation) : stock.cancel(reservation);
    if (handled.has(reservation)) return;
    handled.set(reservation, {
      ...{ reservation: String(reservation), id, user, sku, quantity, paid, result },
      ...{ admittedAt, takenAt, decidedAt },
    });
  },
  { signal: end.signal, concurrency: 4 },
);

parentPort.postMessage({ type: 'ready' });
await run.catch((error) => {
  if (!end.signal.aborted) throw error;
});
client.destroy();
parentPort.postMessage({
  type: 'result',
  value: { handled: [...handled.values()], again, stats: workers.stats() },
});
