// A process that continues a sale: it restores the ledger from a file, admits the orders again, from two threads at
// once, and then handles the orders in the queue.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Gate, Queue, Stock } from 'sluice';
import { fields, Order, order } from '../order.js';

/** @param {Gate<ReturnType<typeof order>>} gate @param {number} orders */
function admitAll(gate, orders) {
  for (let round = 0; round < 3; round++) {
    for (let id = 0; id < orders; id++) gate.admit(order(id));
  }
}

if (isMainThread) {
  const [file, count] = process.argv.slice(2);
  const orders = Number(count);
  const stock = Stock.restore(readFileSync(String(file)));
  const queue = Queue.create(Order, { capacity: 1_000 });
  const gate = Gate.create({ queue, stock, fields });
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(fileURLToPath(import.meta.url), {
    workerData: { handle: gate.handle, orders, flags },
  });
  const exited = once(worker, 'exit');
  await once(worker, 'online');
  while (Atomics.load(flags, 0) === 0) await new Promise((resolve) => setImmediate(resolve));
  Atomics.store(flags, 1, 1);
  admitAll(gate, orders);
  await exited;
  queue.close();
  /** @type {Record<string, number>} */
  const handled = {};
  await gate.consume(({ id }) => {
    handled[String(id)] = (handled[String(id)] ?? 0) + 1;
  });
  stock.audit();
  const { requeued } = gate.stats();
  console.log(JSON.stringify({ requeued, handled, counts: stock.counts(1) }));
} else {
  const { handle, orders, flags } = workerData;
  const gate = Gate.attach(Order, handle);
  Atomics.store(flags, 0, 1);
  while (Atomics.load(flags, 1) === 0);
  admitAll(gate, orders);
}
