// A process that asks a RedisLimiter all the time: node limited.js <json>
//
// It writes for each allowed request the time before it asked and the time after the answer, in milliseconds of the
// clock that the server has, too.

import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { nodeRedis, RedisLimiter } from 'sluice/redis';
import { forNodeRedis } from '../client-options.js';

const { port, file, ...options } = JSON.parse(process.argv[2] ?? '{}');
const client = createClient(forNodeRedis(port));
client.on('error', () => {});
await client.connect();
const limiter = await RedisLimiter.open({ redis: nodeRedis(client), prefix: 'test', ...options });
const book = openSync(file, 'a');
let isOver = false;
process.once('SIGTERM', () => {
  isOver = true;
});
const wall = () => performance.timeOrigin + performance.now();

async function ask() {
  while (!isOver) {
    const before = wall();
    const decision = limiter.tryLeased() ?? (await limiter.tryAcquire());
    if (decision.allowed) writeSync(book, `${before} ${wall()}\n`);
    // As soon as one may be allowed again, and sometimes all at once.
    await sleep(decision.allowed || Math.random() < 0.3 ? 1 : Math.min(decision.retryAfterMs, 20));
  }
}

console.log('ready');
await Promise.all(Array.from({ length: 8 }, ask));
await limiter.close();
client.destroy();
console.log(JSON.stringify(limiter.stats()));
