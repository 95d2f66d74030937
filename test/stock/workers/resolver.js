// Tries to end each reservation that is made, while other threads do the same: confirms it or a part of it, cancels or
// extends it, or leaves it. Posts the results, and which reservations its own calls resolved.
import { parentPort, workerData } from 'node:worker_threads';
import { Stock } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';

const { handle, ids, until, made, seed } = workerData;
const stock = Stock.attach(handle);
const random = new SeededRandom(seed);
const won = new Uint8Array(ids.length);
/** @type {Record<string, number>} */
const told = {};
const count = (/** @type {string} */ answer) => {
  told[answer] = (told[answer] ?? 0) + 1;
};
const now = () => Number(process.hrtime.bigint()) / 1e6;
parentPort?.postMessage({ type: 'ready' });

for (let i = 0; i < ids.length; i++) {
  for (let seen = Atomics.load(made, 0); seen <= i; seen = Atomics.load(made, 0)) Atomics.wait(made, 0, seen);
  const id = ids[i];
  const choice = random.below(8);
  if (choice < 3) continue; // left to another thread, or to expire
  const answer =
    choice === 3
      ? stock.confirm(id)
      : choice === 4
        ? stock.confirm(id, { quantity: 2 })
        : choice === 5
          ? stock.cancel(id)
          : stock.extend(id, 1);
  // An extension by less than is left keeps the deadline, so the reservation must not expire before it.
  if (answer === 'expired' && now() < until[i]) count('early');
  if (answer === 'confirmed' || answer === 'cancelled') won[i] = 1;
  count(choice === 4 && answer === 'confirmed' ? 'confirmed in part' : answer);
  if (random.below(50) === 0) stock.expire();
}
parentPort?.postMessage({ type: 'ended', won, told });
