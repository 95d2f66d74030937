// Admits `rounds` orders, some of them twice, while other threads do the same. Posts the outcomes and the admitted
// orders.
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { Order, order } from '../order.js';

const { handle, rounds, users, skus, firstId, seed, start } = workerData;
const gate = Gate.attach(Order, handle);
const random = new SeededRandom(seed);
parentPort.postMessage({ type: 'ready' });
Atomics.wait(new Int32Array(start), 0, 0);

/** @type {Record<string, number>} */
const outcomes = {};
/** @type {Map<number, bigint>} */
const admitted = new Map();
let duplicates = 0;
for (let round = 0; round < rounds; round++) {
  // Now and then the round takes an id that this or another thread may have used, with the same fields as before.
  const id = random.chance(0.2) ? random.below(firstId + round + 1) : firstId + round;
  const admission = gate.admit(order(id, { user: id % users, sku: 1 + (id % skus), quantity: 1 + (id % 2) }));
  if (admission.outcome !== 'admitted') {
    outcomes[admission.outcome] = (outcomes[admission.outcome] ?? 0) + 1;
  } else if (admission.duplicate) {
    duplicates++;
  } else {
    admitted.set(id, admission.reservation);
  }
}
parentPort.postMessage({ type: 'admitted', outcomes, admitted, duplicates });
