// terminated-owner.js <store module> <directory>: a worker has a queue over the store, and is terminated. Prints which
// records the next queue of this process finds there.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { Queue, record, u53 } from 'sluice';
import { spill } from 'sluice/overflow';

const [module = '', directory = ''] = process.argv.slice(2);
const { make } = await import(new URL(`../stores/${module}`, import.meta.url).href);
const overflow = spill({ store: make(directory, {}) });
const open = () => Queue.create(record({ id: u53 }), { capacity: 1, overflow });
if (!isMainThread) {
  const queue = open();
  await overflow.opened();
  for (let id = 0; id < 5; id++) await queue.push({ id });
  parentPort?.postMessage('stored');
  setInterval(() => {}, 1_000);
} else {
  const worker = new Worker(new URL(import.meta.url), { argv: [module, directory] });
  await once(worker, 'message');
  await worker.terminate();
  const queue = open();
  await overflow.opened();
  /** @type {number[]} */
  const seen = [];
  for await (const { id } of queue) if (seen.push(id) === 4) break;
  queue[Symbol.dispose]();
  await overflow.close();
  console.log(JSON.stringify(seen));
}
