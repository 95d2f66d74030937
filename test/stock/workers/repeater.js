// Reserves each id below `ids` once, in random order within blocks of 50, while other threads do the same.
import { parentPort, workerData } from 'node:worker_threads';
import { Stock } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';

const { handle, ids, seed, start } = workerData;
const stock = Stock.attach(handle);
const random = new SeededRandom(seed);
const begun = new Int32Array(start);
parentPort.postMessage({ type: 'ready' });
Atomics.wait(begun, 0, 0);

/** @type {Array<{ id: number, reservation: bigint, duplicate: boolean }>} */
const reserved = [];
/** @type {Array<{ id: number, reason: string }>} */
const refused = [];
for (let first = 0; first < ids; first += 50) {
  // The ids of a block are close to each other, so that all threads are at the same ids at about the same time.
  const block = Array.from({ length: 50 }, (_, i) => first + i).sort(() => random.below(3) - 1);
  for (const id of block) {
    let answer;
    do answer = stock.reserve({ sku: 1, quantity: 1, user: id % 1_000, id });
    while (!answer.ok && answer.reason === 'in-progress');
    if (answer.ok) reserved.push({ id, reservation: answer.reservation, duplicate: answer.duplicate });
    else refused.push({ id, reason: answer.reason });
  }
}
parentPort.postMessage({ type: 'repeated', reserved, refused });
