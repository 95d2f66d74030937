// @ts-check
// One of the processes of a sale: an HTTP server in front of a gate on Redis, and a cashier. main.js starts it.
import { openSync, writeSync } from 'node:fs';
import { createClient } from 'redis';
import { nodeRedis, RedisGate, RedisLimiter, RedisQueue, RedisStock, RedisWorkers } from 'sluice/redis';
import { recordOf } from '../admission-desk.js';
import { answerToAdmission, answerToBadOrder, BROKEN } from '../answers.js';
import { monotonicMs } from '../clock.js';
import { BadOrder, Order, parseOrder } from '../order-schema.js';
import { Payments } from '../payments.js';
import { OrderServer } from '../server.js';
import {
  CONCURRENCY,
  GROUP,
  LIMITS,
  PREFIX,
  STREAM_LENGTH_MAX,
  stockOptions,
  streamOf,
} from './shop-schema.js';

/**
 * @typedef {object} ShopTask
 * @property {string} redis  the URL of the Redis server
 * @property {string} sale
 * @property {number} port   on which to serve; 0: any
 * @property {string} book   the file of the cashier's book
 */

if (process.send === undefined) throw new Error('shop.js runs as a child process: start main.js');
const send = process.send.bind(process);

/** @type {ShopTask} */
const task = JSON.parse(process.argv[2] ?? '{}');
const client = createClient({ url: task.redis, disableOfflineQueue: true });
client.on('error', () => {}); // sluice tries again, and says in stats() why
await client.connect();
const redis = nodeRedis(client);
const stream = streamOf(task.sale);
const stock = await RedisStock.open(stockOptions(redis, task.sale));
const limiter = await RedisLimiter.open({ redis, prefix: PREFIX, name: task.sale, ...LIMITS });
const queue = new RedisQueue({ redis, stream, record: Order, id: 'orderId', maxLength: STREAM_LENGTH_MAX });
const gate = RedisGate.create({
  ...{ stock, limiter, queue },
  fields: { sku: 'sku', quantity: 'quantity', user: 'user', id: 'orderId' },
});

/** @type {unknown[]} */
const failures = [];

/** @param {string} text */
async function answer(text) {
  try {
    return answerToAdmission(await gate.admit(recordOf(parseOrder(text))));
  } catch (error) {
    if (error instanceof BadOrder) return answerToBadOrder(error.field, error.message);
    failures.push(String(error));
    return BROKEN;
  }
}

const book = openSync(task.book, 'a');
/** @param {import('../book-schema.js').BookLine} line */
const write = (line) =>
  writeSync(book, `${JSON.stringify({ ...line, reservation: String(line.reservation) })}\n`);

const payments = new Payments();
const end = new AbortController();
const workers = new RedisWorkers({
  ...{ redis, stream, record: Order, group: GROUP, stock },
  // In a hurry: a sale is short, and processes may be killed while it runs.
  ...{ blockMs: 200, claimIdleMs: 2_000, patrolMs: 200 },
});
const run = workers.run(
  async ({ orderId: id, user, sku, quantity, admittedAt }, hold) => {
    const reservation = /** @type {bigint} */ (hold.reservation);
    const line = { reservation, id, user, sku, quantity, admittedAt };
    write({ ...line, event: 'taken', paid: false, result: '', at: monotonicMs() });
    const paid = await payments.charge(id);
    write({ ...line, event: 'charged', paid, result: '', at: monotonicMs() });
    // A cashier that was killed may have decided it before: 'already-confirmed'.
    const result = (paid ? hold.confirm() : hold.cancel()).replace(/^already-/, '');
    write({ ...line, event: 'decided', paid, result, at: monotonicMs() });
  },
  { signal: end.signal, concurrency: CONCURRENCY },
);

const server = new OrderServer(answer);
send({ type: 'ready', value: { url: await server.listen(task.port) } });
const sendAnswers = () => {
  const { answered, byStatus, byOutcome } = server;
  const { admitted } = gate.stats();
  send({ type: 'answers', value: { answered, admitted, byStatus, byOutcome } });
};
const standing = setInterval(sendAnswers, 200);

process.once('message', async () => {
  await server.close();
  clearInterval(standing);
  await gate.close();
  while ((await queue.depth().catch(() => 1)) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  end.abort();
  await run.catch((error) => {
    if (!end.signal.aborted) failures.push(String(error));
  });
  await stock.close();
  await limiter.close();
  client.destroy();
  sendAnswers();
  send({ type: 'result', value: failures }, () => process.disconnect());
});
