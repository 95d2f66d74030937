// Asks again for orders of a restored ledger, until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { Order, orderOf } from '../soak.js';

const { handle, ids, seed } = workerData;
const gate = Gate.attach(Order, handle);
const random = new SeededRandom(seed);
parentPort?.postMessage({ type: 'asks' });
for (let i = 0; i < 1_000 * ids.length; i++) {
  const { order, lines } = orderOf(random.pick(ids));
  gate.admit(order, { lines });
}
