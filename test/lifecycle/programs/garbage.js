// garbage.js <what>: creates 300 objects and forgets them. Prints ok if their memory comes back. Needs --expose-gc.
import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, Limiter, ManualClock, Queue, Stock } from 'sluice';
import { newGate, Order, order } from './order.js';

const [what] = process.argv.slice(2);
const { gc } = globalThis;
const megabyte = 2 ** 20;
const options = { items: [{ sku: 1, quantity: 10 }], maxReservations: 2_000, maxUsers: 2_000, maxIds: 2_000 };
const newQueue = () => Queue.create(Order, { capacity: 8_192 });

/** Each makes about half a megabyte of native memory. @type {Record<string, () => unknown>} */
const makers = {
  queues: newQueue,
  'queues that were consumed by hand': () => {
    const queue = newQueue();
    queue.tryPush(order(1, 1));
    queue.tryPop();
    queue.drain(() => {});
  },
  'queues that were consumed': async () => {
    const queue = newQueue();
    setImmediate(() => queue.tryPush(order(1, 1)));
    for await (const _ of queue) break;
  },
  'queues whose iterator was abandoned': async () => {
    const queue = newQueue();
    queue.tryPush(order(1, 1));
    await queue[Symbol.asyncIterator]().next();
  },
  'queues that were attached twice': () => {
    const queue = newQueue();
    const other = Queue.attach(Order, queue.handle);
    queue[Symbol.dispose](); // its handle was read, so it must be disposed of
    return other;
  },
  limiters: () => {
    for (let i = 0; i < 10; i++) Limiter.create({ ...Limiter.flashSale, clock: new ManualClock() });
  },
  'limiters that were waited for': async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 2_000 }, commit: true });
    const first = limiter.tryAcquire({ key: 1 });
    const waiting = limiter.acquire({ key: 1 });
    if (first.allowed) first.release();
    await waiting;
  },
  'stocks on the clock of the machine': () => Stock.create(options),
  'stocks on a manual clock': () => Stock.create({ ...options, clock: new ManualClock() }),
  gates: () => {
    const gate = Gate.create({ queue: newQueue(), limiter: Limiter.create(Limiter.flashSale) });
    gate.admit(order(1, 1));
  },
  'objects that were disposed of': () => {
    const gate = newGate(100);
    void gate.handle;
    for (const object of [gate, gate.queue, gate.limiter, gate.stock]) object[Symbol.dispose]();
  },
};

async function make(count) {
  for (let i = 0; i < count; i++) {
    await makers[what]();
    if (i % 25 !== 0) continue;
    gc();
    await immediate();
  }
  gc();
  await immediate();
  gc();
  await immediate();
}

await make(100);
const before = process.memoryUsage().rss;
await make(300);
const grown = (process.memoryUsage().rss - before) / megabyte;
if (grown > 30) throw new Error(`300 ${what}: ${grown.toFixed(0)} MB more than before`);
console.log('ok');
