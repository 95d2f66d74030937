// Pushes and handles orders through a queue (or a gate) that spills, until it is killed or, with 'drain', nothing is
// left. Writes what it knows to a log, one JSON text a line, each before it goes on:
//
//   sale.js <module of the store> <directory> <log> <'queue' | 'gate'> <'run' | 'drain'>
import { openSync, readFileSync, writeSync } from 'node:fs';
import { Gate, Queue, record, Stock, u32, u53 } from 'sluice';
import { spill } from 'sluice/overflow';

const [, , module, directory, path, kind, mode] = process.argv;
const { make } = await import(module);
const Order = record({ id: u53, sku: u32, quantity: u32 });
const log = openSync(path, 'a');
const note = (what, id) => writeSync(log, `${JSON.stringify([what, id])}\n`);
const ids = readFileSync(path, 'utf8')
  .split('\n')
  .filter((line) => line.endsWith(']'))
  .map((line) => JSON.parse(line)[1]);
let next = Math.max(0, ...ids) + 1;

const overflow = spill({ store: make(directory), onRedelivered: ({ id }) => void note('again', id) });
const queue = Queue.create(Order, { capacity: 16, overflow });
let gate;
if (kind === 'gate') {
  const stock = Stock.create({
    items: [{ sku: 1, quantity: 1_000_000 }],
    maxReservations: 65_536,
    maxIds: 65_536,
    holdMs: 60_000,
  });
  gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', id: 'id' } });
}
await overflow.opened();

/** Pushes one order after another. An order that is in the ring only may be lost with the process. */
async function push() {
  for (;;) {
    const id = next++;
    note('pushed', id);
    const order = { id, sku: 1, quantity: 1 };
    const before = overflow.stats().appended;
    if (gate !== undefined) {
      const { outcome, stored } = await gate.admitDurably(order);
      if (outcome !== 'admitted') throw new Error(outcome);
      if (stored) note('durable', id);
    } else {
      const isBehind = overflow.stats().behind > 0;
      await queue.push(order);
      // Others may have been appended meanwhile, but a record that finds others behind is always appended, too.
      if (isBehind && overflow.stats().appended > before) note('durable', id);
    }
  }
}

const handle = async (order) => {
  await new Promise((resolve) => setImmediate(resolve));
  note('handled', order.id);
};
const consumed =
  gate === undefined
    ? queue.consume(async ([order]) => handle(order), { batchSize: 1 })
    : gate.consume(handle, { concurrency: 3 });

if (mode === 'run') {
  await Promise.all(Array.from({ length: 64 }, push));
} else {
  await overflow.emptied();
  queue.close();
  await consumed;
  queue[Symbol.dispose]();
  await overflow.close();
  console.log('ok');
}
