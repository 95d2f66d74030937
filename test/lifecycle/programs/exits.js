// exits.js <stage> <code>: calls process.exit() in the main thread, at the named stage of the work of this thread or of
// its workers.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { newGate, order } from './order.js';

const [stage, code] = process.argv.slice(2);
const gate = newGate();
const { queue, stock } = gate;

function exit() {
  console.log('ok');
  process.exit(Number(code));
}

/** @param {string[]} activities */
async function withWorkers(...activities) {
  const workers = activities.map((activity, producer) => {
    const workerData = { handle: gate.handle, activity, producer };
    return new Worker(new URL('./busy-worker.js', import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, 'message')));
}

/** @type {Record<string, () => unknown>} */
const stages = {
  'at once': exit,
  'asleep as the consumer': () => {
    void queue.consume(() => {});
    setImmediate(exit);
  },
  'in a handler': () => {
    queue.tryPush(order(1, 1));
    void queue.consume(exit);
  },
  'in a visit': () => {
    queue.tryPush(order(1, 1));
    queue.drain(exit);
  },
  'in a handler of the gate': () => {
    gate.admit(order(1, 1));
    void gate.consume(exit);
  },
  'woken by a worker': async () => {
    void queue.consume(exit);
    await withWorkers('pushing');
  },
  'beside workers that push and consume': async () => {
    await withWorkers('pushing', 'pushing many', 'asleep as the consumer');
    exit();
  },
  'beside workers that admit and consume': async () => {
    await withWorkers('admitting', 'admitting', 'consuming orders');
    exit();
  },
  'beside workers that reserve and audit': async () => {
    await withWorkers('reserving and confirming', 'auditing', 'asking the limiter');
    stock.audit();
    exit();
  },
  'beside workers that come and go': async () => {
    await withWorkers('attaching and letting go', 'creating', 'at the end of consuming, again and again');
    exit();
  },
  'after all was disposed of': async () => {
    await withWorkers('pushing', 'draining');
    for (const object of [gate, queue, stock, gate.limiter]) object[Symbol.dispose]();
    exit();
  },
};

await stages[stage]();
