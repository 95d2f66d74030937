// A worker process of the tests: node worker.js <json>
//
// It handles the orders of a stream, and writes the id of each order that it has done to a file before it returns. The
// order's note says how it behaves: 'poison' always fails, 'kills' ends the process for its first two deliveries,
// 'once' fails for the first one.

import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { record, u32, u53, utf8 } from 'sluice';
import { RedisWorkers } from 'sluice/redis';
import { connect } from './connection.js';

const {
  port,
  client,
  file,
  stream,
  concurrency = 8,
  workMs = 4,
  name: _,
  ...options
} = JSON.parse(process.argv[2] ?? '{}');

const book = openSync(file, 'a');
const end = new AbortController();
process.once('SIGTERM', () => end.abort());
const workers = new RedisWorkers({
  ...{
    redis: await connect(port, client),
    stream,
    record: record({ orderId: u53, sku: u32, note: utf8(24) }),
    group: 'cashiers',
  },
  ...options,
});
const run = workers.run(
  async ({ orderId, note }, { deliveries }) => {
    if (note === 'poison') throw new Error('poison');
    if (note === 'kills' && deliveries <= 2) process.kill(process.pid, 'SIGKILL');
    await sleep(Math.random() * workMs);
    if (note === 'once' && deliveries === 1) throw new Error('once');
    writeSync(book, `${orderId}\n`);
  },
  { signal: end.signal, concurrency },
);
console.log('ready');
await run.catch((error) => {
  if (error.name !== 'AbortError') throw error;
});
console.log(JSON.stringify(workers.stats()));
process.exit(0);
