import { setImmediate as immediate } from 'node:timers/promises';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { Row } from './small-queue.js';
import { until } from './until.js';

const row = { number: 1 };
type Act = (queue: Queue<Row>) => unknown;

describe('each way into a queue wakes a consumer that sleeps', () => {
  it.each<[string, Act]>([
    ['tryPush', (queue) => queue.tryPush(row)],
    ['tryPush, to a lane', (queue) => queue.tryPush(row, { lane: 0 })],
    ['tryPushMany', (queue) => queue.tryPushMany([row])],
    ['push', (queue) => queue.push(row)],
    ['push, with options', (queue) => queue.push(row, { timeoutMs: 1_000 })],
    ['pushSync', (queue) => queue.pushSync(row, 1_000)],
    ['send', (queue) => queue.tryReserve(1)?.send(row)],
    ['batcher', (queue) => queue.batcher().push(row)],
  ])('%s', async (_, push) => {
    const queue = Queue.create(Row, { capacity: 4 });
    const producer = Queue.attach(Row, queue.handle);
    let seen = 0;
    const consumed = queue.consumeInPlace(() => seen++);
    for (let wakes = 1; wakes <= 3; wakes++) {
      await immediate(); // the consumer sleeps now
      push(producer);
      await until(() => seen === wakes);
    }
    queue.close();
    await consumed;
  });
});

describe('each way out of a queue gives its room to a push that waits', () => {
  it.each<[string, Act]>([
    ['tryPop', (queue) => queue.tryPop()],
    ['popMany', (queue) => queue.popMany(1)],
    ['popMany, of more', (queue) => queue.popMany(9)],
    ['popSync', (queue) => queue.popSync(0)],
    ['drain, of one', (queue) => queue.drain(() => {}, 1)],
    ['drain', (queue) => queue.drain(() => {})],
    ['for await', (queue) => queue[Symbol.asyncIterator]().next()],
    ['readable', (queue) => queue.readable().getReader().read()],
    ['consume', (queue) => queue.consume(() => {})],
    ['consumeInPlace', (queue) => queue.consumeInPlace(() => {})],
  ])('%s', async (_, take) => {
    const queue = Queue.create(Row, { capacity: 1 });
    const consumer = Queue.attach(Row, queue.handle);
    consumer.drain(() => {}); // so that drain(visit, 1) takes its short way
    queue.tryPush(row);
    const waits = queue.push(row);
    take(consumer);
    await waits;
    expect(queue.stats()).toMatchObject({ pushed: 2, waiting: 0 });
    queue.close();
  });
});
