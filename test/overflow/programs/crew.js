// Stores orders, and dispatches them to workers, until it is killed or, with 'drain', nothing is left:
//
//   crew.js <module of the store> <directory> <log> <'queue' | 'gate'> <'run' | 'drain'>
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate, Queue, Stock } from 'sluice';
import { dispatch } from 'sluice/dispatch';
import { spill } from 'sluice/overflow';
import { lastHandled, Order, orderOf, orders } from './work.js';

const [, , module, directory, path, kind, mode] = process.argv;
const { make } = await import(module);
const capacity = 4;
const overflow = spill({ store: make(directory) });
const queue = Queue.create(Order, { capacity, overflow });
let gate;
if (kind === 'gate') {
  const stock = Stock.create({ items: [{ sku: 1, quantity: 1_000 }], maxReservations: 1_000, maxIds: 1_000 });
  gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', id: 'id' } });
}
await overflow.opened();
if (mode === 'run') {
  const push = (order) => (gate === undefined ? queue.push(order) : gate.admitDurably(order));
  await Promise.all(Array.from({ length: orders }, (_, i) => push(orderOf(i + 1))));
}
const crew = dispatch(gate ?? queue, {
  workers: 2,
  concurrency: 4,
  handler: new URL('./crew-handler.js', import.meta.url),
  data: { path, mode },
  deadLetters: () => {
    throw new Error('no order fails');
  },
});
if (mode === 'run') {
  // The first ones are in the ring only. Those that are handled leave the store; the others must not.
  while (overflow.stats().records > orders - lastHandled || crew.stats().inHand < 8) await sleep(1);
  console.log('stuck');
} else {
  await overflow.emptied();
  queue.close();
  await crew.done;
  queue[Symbol.dispose]();
  await overflow.close();
  console.log('ok');
}
