// uncaught.js <where> <die | go on>: throws an error in code that the library calls, and catches it nowhere.
import { Worker } from 'node:worker_threads';
import { newGate, order } from './order.js';

const [where, what] = process.argv.slice(2);
const gate = newGate();
const { queue } = gate;

const fail = () => {
  throw new Error('not caught');
};
let handled = 0;

/** @type {Record<string, () => unknown>} */
const places = {
  'a handler': () => void queue.consume(fail),
  'a handler that is woken': () => {
    void queue.consume(fail);
    setImmediate(() => queue.tryPush(order(2, 2)));
  },
  'an async handler among others': () => void queue.consume(async () => fail(), { concurrency: 3 }),
  'for await': () =>
    void (async () => {
      for await (const _ of queue) fail();
    })(),
  'a visit': () => setImmediate(() => queue.drain(fail)),
  // The consuming loop is not affected, and goes on.
  'a tick after a handler': () => {
    void queue.consume(() => {
      if (handled++ === 0) process.nextTick(fail);
      else queue.close();
    });
  },
  'a listener of the signal': () => {
    const abort = new AbortController();
    abort.signal.addEventListener('abort', fail);
    void queue.consume(() => abort.abort(), { signal: abort.signal }).catch(() => {});
  },
  'a worker': async () => {
    const worker = new Worker(new URL('./failing-worker.js', import.meta.url), { workerData: gate.handle });
    worker.on('error', fail);
    await new Promise((resolve) => worker.on('exit', resolve));
  },
};

if (what === 'go on') {
  process.on('uncaughtException', (error) => {
    if (error.message !== 'not caught') {
      console.error(error);
      process.exit(3);
    }
    if (where === 'a tick after a handler') queue.tryPush(order(3, 3));
    else void consumeAgain();
  });
  process.on('exit', () => console.log('ok'));
}

/** Checks that the queue can be consumed again, and wakes its consumer. */
async function consumeAgain() {
  // A failure may be reported a moment before the failed consumer has given up the lease.
  for (;;) {
    try {
      queue.popMany(10);
      break;
    } catch (error) {
      if (error.code !== 'ERR_SLUICE_CONSUMER') throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  setImmediate(() => queue.tryPush(order(3, 3)));
  for await (const { producer } of queue) {
    if (producer !== 3) throw new Error(`got ${producer}`);
    break;
  }
}

if (where !== 'a handler that is woken') queue.tryPush(order(1, 1));
await places[where]();
