// One of the threads of ../part-races.test.ts. Each thread reserves carts, whose reservations it puts into the shared
// list `ids`, and confirms, cancels, returns and changes single lines of any reservation in that list. All threads
// together count in `told` how many units of each item they have sold, less those returned. A thread runs until the
// test sets `stop`, or terminates it.
import { parentPort, workerData } from 'node:worker_threads';
import { Stock } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';

const { handle, ids, stop, told, seed } = workerData;
const stock = Stock.attach(handle);
const random = new SeededRandom(seed);
const skus = [1, 2];
parentPort?.postMessage({ type: 'ready' });

while (Atomics.load(stop, 0) === 0) {
  const place = random.below(ids.length);
  const id = Atomics.load(ids, place);
  const quantity = random.between(1, 2);
  const line = random.below(2);
  const lines = [{ sku: skus[line], quantity }];
  try {
    const choice = random.below(9);
    if (choice < 3) {
      if (stock.confirm(id, { lines, rest: 'hold' }) === 'confirmed') Atomics.add(told, line, quantity);
    } else if (choice < 5) {
      stock.cancel(id, { lines });
    } else if (choice === 5) {
      if (stock.return(id, { lines }) === 'returned') Atomics.sub(told, line, quantity);
    } else if (choice === 6) {
      const units = { sku: skus[line], quantity, user: random.below(4) };
      if (stock.return(units) === 'returned') Atomics.sub(told, line, quantity);
    } else if (choice === 7) {
      stock.change(id, { lines: [{ sku: skus[line], quantity: random.below(7) }] });
    } else {
      const cart = skus.map((sku) => ({ sku, quantity: 5 }));
      const answer = stock.reserveAll(cart, { user: random.below(4) });
      if (answer.ok) Atomics.store(ids, place, answer.reservation);
    }
  } catch (error) {
    // The call asked for more units than were left.
    if (!(error instanceof RangeError)) throw error;
  }
}
parentPort?.postMessage({ type: 'done' });
