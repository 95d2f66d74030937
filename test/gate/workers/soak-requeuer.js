// Admits the held orders of a restored ledger again and again, in random order, until it is terminated or has made
// 1,000 times as many calls as there are orders.
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { Shop } from '../soak.js';

const { handle, ids, seed, texts } = workerData;
const shop = new Shop(texts);
const gate = Gate.attach(shop.Order, handle);
const random = new SeededRandom(seed);
parentPort?.postMessage({ type: 'asks' });
for (let i = 0; i < 1_000 * ids.length; i++) {
  const { order, lines } = shop.orderOf(random.pick(ids));
  gate.admit(order, { lines });
}
