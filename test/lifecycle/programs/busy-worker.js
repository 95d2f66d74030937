// Does one thing for ever, so that a program can end this thread meanwhile. Posts { type: 'busy' } when it has begun.
import { parentPort, workerData } from 'node:worker_threads';
import { Gate, Limiter, Queue, Stock } from 'sluice';
import { newGate, Order, order } from './order.js';

const { handle, activity, producer } = workerData;
const gate = Gate.attach(Order, handle);
const { queue, limiter, stock } = gate;
const busy = () => parentPort.postMessage({ type: 'busy' });
const forEver = (/** @type {(i: number) => void} */ act) => {
  for (let i = 0; ; i++) {
    act(i);
    if (i === 50) busy();
  }
};

/** @type {Record<string, () => unknown>} */
const activities = {
  pushing: () => forEver((i) => queue.tryPush(order(producer, i))),
  'pushing many': () =>
    forEver((i) => queue.tryPushMany(Array.from({ length: 150 }, () => order(producer, i)))),
  popping: () => forEver(() => queue.popMany(100)),
  draining: () => forEver(() => queue.drain(() => {}, 100)),
  'in a visit': () => {
    queue.tryPush(order(producer, 0));
    queue.drain(() => {
      busy();
      for (;;);
    });
  },
  'asleep as the consumer': () => {
    void queue.consume(() => {});
    busy();
  },
  'falling asleep and waking': async () => {
    busy();
    await queue.consume(() => setImmediate(() => queue.tryPush(order(producer, 1))));
  },
  'in a handler': async () => {
    queue.tryPush(order(producer, 0));
    await queue.consume(() => {
      busy();
      return new Promise(() => setInterval(() => {}, 1_000));
    });
  },
  'at the end of consuming, again and again': async () => {
    for (let i = 0; ; i++) {
      const abort = new AbortController();
      const consumed = queue.consume(() => {}, { signal: abort.signal }).catch(() => {});
      await new Promise((resolve) => setImmediate(resolve));
      abort.abort();
      await consumed;
      if (i === 5) busy();
    }
  },
  admitting: () => forEver((i) => gate.admit(order(producer, i))),
  'consuming orders': async () => {
    for (let i = 0; i < 100; i++) gate.admit(order(producer, i));
    setImmediate(busy);
    await gate.consume(() => new Promise((resolve) => setImmediate(resolve)), { concurrency: 4 });
  },
  'asking the limiter': () =>
    forEver(() => {
      // Depth that allow() has taken is not given back when the thread ends.
      if (limiter.allow()) limiter.release();
      const decision = limiter.tryAcquire();
      if (decision.allowed) decision.release();
    }),
  'reserving and confirming': () =>
    forEver((i) => {
      // The holds are short, so that those that are left to expire never fill the ledger.
      const answer = stock.reserve({ sku: producer, quantity: 1, user: i % 500, holdMs: 5 });
      if (answer.ok && i % 3 !== 0) stock[i % 3 === 1 ? 'confirm' : 'cancel'](answer.reservation);
    }),
  auditing: () => forEver(() => stock.audit()),
  'attaching and letting go': () =>
    forEver((i) => {
      Queue.attach(Order, queue.handle)[Symbol.dispose]();
      Limiter.attach(limiter.handle)[Symbol.dispose]();
      Stock.attach(stock.handle)[Symbol.dispose]();
      if (i % 7 === 0) Gate.attach(Order, handle);
    }),
  creating: () => forEver(() => newGate(10)),
};

// No top-level await: Node.js 20 aborts if a thread is terminated just when a module with one begins.
void activities[activity]();
