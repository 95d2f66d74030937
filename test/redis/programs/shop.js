// A shop of the tests: node shop.js <json>
//
// It admits orders by a RedisGate, and handles those of all shops with RedisWorkers and the stock. It writes what it
// was told and did to a file: 'admitted <id>' for an order that was admitted, and '<id>' for one that it has handled.
// On SIGTERM it admits no more, and ends when its handlers have.

import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisGate, RedisQueue, RedisStock, RedisWorkers } from 'sluice/redis';
import { fields, Order, order } from '../../gate/order.js';
import { connect } from './connection.js';

const {
  port,
  client,
  file,
  first,
  stream,
  loops = 8,
  name: _,
  ...options
} = JSON.parse(process.argv[2] ?? '{}');
const book = openSync(file, 'a');
const redis = await connect(port, client);
/** @type {RedisStock | undefined} */
let stock;
while (stock === undefined) {
  stock = await RedisStock.open({ redis, ...options }).catch(() => undefined);
  if (stock === undefined) await sleep(50);
}
const queue = new RedisQueue({ redis, stream, record: Order, id: 'id', maxLength: 100_000 });
const gate = RedisGate.create({ stock, queue, fields });
const workers = new RedisWorkers({
  ...{
    redis,
    stream,
    record: Order,
    group: 'cashiers',
    stock,
    claimIdleMs: 1_000,
    blockMs: 200,
    patrolMs: 50,
  },
});
let isEnding = false;
process.once('SIGTERM', () => {
  isEnding = true;
});
const end = new AbortController();
const handling = workers
  .run(
    async ({ id }) => {
      await sleep(Math.random() * 8);
      writeSync(book, `${id}\n`);
    },
    { signal: end.signal, concurrency: 8 },
  )
  .catch((error) => {
    if (error.name !== 'AbortError') throw error;
  });
console.log('ready');

let id = first;
async function admit() {
  while (!isEnding) {
    const mine = order(id++, { user: Math.trunc(Math.random() * 1_000) });
    let outcome = 'unavailable';
    for (let tries = 0; outcome === 'unavailable' && tries < 20; tries++) {
      ({ outcome } = gate.refusal(mine) ?? (await gate.admit(mine)));
    }
    if (outcome === 'admitted') writeSync(book, `admitted ${mine.id}\n`);
    await sleep(outcome === 'admitted' ? Math.random() * 4 : 10);
  }
}
await Promise.all(Array.from({ length: loops }, admit));
end.abort();
await handling;
await stock.close();
process.exit(0);
