// Reserves carts of all items, with their lines in random order, and cancels most of them. Posts the units that it
// confirmed.
import { parentPort, workerData } from 'node:worker_threads';
import { Stock } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';

const { handle, skus, user, rounds, seed } = workerData;
const stock = Stock.attach(handle);
const random = new SeededRandom(seed);
/** @type {Record<number, number>} */
const sold = {};
let carts = 0;
for (let round = 0; round < rounds; round++) {
  const lines = skus.map((/** @type {number} */ sku) => ({ sku, quantity: random.between(1, 2) }));
  lines.sort(() => random.below(3) - 1);
  const cart = stock.reserveAll(lines, { user });
  if (!cart.ok) continue;
  carts++;
  if (random.below(1_000) > 0) {
    stock.cancel(cart.reservation);
    continue;
  }
  if (stock.confirm(cart.reservation) !== 'confirmed') throw new Error('not confirmed');
  for (const { sku, quantity } of lines) {
    sold[sku] = (sold[sku] ?? 0) + quantity;
    stock.restock(sku, quantity);
  }
}
parentPort?.postMessage({ type: 'done', sold, carts });
