// alive.js <manner>: prepares one state of this process. Tests observe whether the process ends by itself, and what it
// prints before.
import { setImmediate as immediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { newGate, order } from './order.js';

const gate = newGate();
const { queue } = gate;

/** Calls `act` after 50 ms, but only if something else keeps the process alive until then. */
function later(act) {
  setTimeout(act, 50).unref();
}

/** @type {Record<string, () => unknown>} */
const manners = {
  // No loop consumes, so nothing keeps the process alive.
  'with records in a queue': () => queue.tryPush(order(1, 1)),
  'with handles read': () => void [gate.handle, queue.handle, gate.stock.handle, gate.limiter.handle],
  'after tryPop': () => queue.tryPop(),
  'after drain': () => queue.drain(() => {}),
  'after consume was aborted': async () => {
    const abort = new AbortController();
    const consumed = queue.consume(() => {}, { signal: abort.signal });
    await immediate();
    abort.abort();
    await consumed.catch(() => {});
  },
  'after the queue was closed': async () => {
    const consumed = queue.consume(() => {});
    await immediate();
    queue.close();
    await consumed;
  },
  'after for await was left': async () => {
    setImmediate(() => queue.tryPush(order(1, 1)));
    for await (const _ of queue) break;
  },
  'after dispose': async () => {
    void queue.consume(() => {});
    await immediate();
    queue[Symbol.dispose]();
  },
  'after a handler failed': async () => {
    setImmediate(() => queue.tryPush(order(1, 1)));
    await queue.consume(() => Promise.reject(new Error('failed'))).catch(() => {});
  },
  // A loop consumes, so the unreferenced timer fires, and its callback ends the wait.
  'while it consumes': async () => {
    later(() => {
      console.log('still here');
      queue.close();
    });
    await queue.consume(() => {});
  },
  'while it waits for the next record': async () => {
    later(() => {
      console.log('still here');
      queue.tryPush(order(1, 1));
    });
    for await (const _ of queue) break;
  },
  'while it consumes orders': async () => {
    let count = 0;
    const admit = () => {
      gate.admit(order(1, count));
      if (++count < 5) return later(admit);
      console.log('still here');
      queue.close();
    };
    later(admit);
    await gate.consume(() => {});
  },
  'while a worker consumes': async () => {
    const worker = new Worker(new URL('./busy-worker.js', import.meta.url), {
      workerData: { handle: gate.handle, activity: 'asleep as the consumer', producer: 1 },
    });
    later(() => {
      console.log('still here');
      queue.close(); // ends the worker, and with it the process
    });
    worker.on('exit', (code) => console.log(`the worker ended with ${code}`));
  },
};

process.on('exit', () => console.log('ok'));
await manners[process.argv[2]]();
