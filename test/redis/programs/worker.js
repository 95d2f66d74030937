// A worker process of the tests: node worker.js <json>
//
// It handles the orders of a stream, and writes the id of each order that it has done to a file before it returns. The
// order's note says how it behaves: 'poison' always fails, 'kills' ends the process for its first two deliveries,
// 'once' fails for the first one.

import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { record, u32, u53, utf8 } from 'sluice';
import { ioRedis, nodeRedis, RedisWorkers } from 'sluice/redis';
import { forIoRedis, forNodeRedis } from '../client-options.js';

const {
  port,
  client,
  file,
  stream,
  concurrency = 8,
  workMs = 4,
  ...options
} = JSON.parse(process.argv[2] ?? '{}');

async function connect() {
  for (;;) {
    try {
      if (client === 'ioredis') {
        const made = new Redis(port, '127.0.0.1', { ...forIoRedis, lazyConnect: true });
        made.on('error', () => {});
        await made.connect();
        return ioRedis(made);
      }
      const made = createClient(forNodeRedis(port));
      made.on('error', () => {});
      await made.connect();
      return nodeRedis(made);
    } catch {
      await sleep(50);
    }
  }
}

const book = openSync(file, 'a');
const end = new AbortController();
process.once('SIGTERM', () => end.abort());
const workers = new RedisWorkers({
  ...{
    redis: await connect(),
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
