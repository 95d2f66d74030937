// Reserves, confirms, cancels and lets expire, together with others, for `rounds` rounds. If `goOn` is given, more
// rounds follow while its word is 1. About half of the reservations also go to places that all buyers share. The thread
// that takes one from there resolves it, too, so two threads may resolve the same one. Posts the results: see
// ../threads.test.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { Stock } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';

const { handle, skus, users, rounds, seed, shared, goOn } = workerData;
const stock = Stock.attach(handle);
const random = new SeededRandom(seed);
const places = new BigUint64Array(shared);

/** @type {Record<string, number>} */
const told = {};
const count = (/** @type {string} */ answer, by = 1) => {
  told[answer] = (told[answer] ?? 0) + by;
};
/** Units that this thread confirmed, by sku. @type {Record<number, number>} */
const sold = {};

/**
 * @param {bigint} reservation
 * @param {number} sku
 * @param {number} quantity
 */
function resolve(reservation, sku, quantity) {
  const choice = random.below(10);
  if (choice < 4) {
    const answer = stock.confirm(reservation);
    count(answer);
    if (answer === 'confirmed') sold[sku] = (sold[sku] ?? 0) + quantity;
  } else if (choice < 8) {
    count(stock.cancel(reservation));
  }
  // Otherwise the reservation is left to expire.
}

/** The quantity follows from the sku, so that a thread that takes a reservation over knows it. */
const quantityOf = (/** @type {number} */ sku) => 1 + (sku % 3);

for (let round = 0; round < rounds || (goOn && Atomics.load(goOn, 0) === 1); round++) {
  const place = random.below(places.length);
  const sku = skus[place % skus.length];
  const answer = stock.reserve({
    sku,
    quantity: quantityOf(sku),
    user: random.below(users),
    ...(random.chance(0.2) && { holdMs: random.between(1, 20) }),
  });
  if (!answer.ok) {
    count(answer.reason);
    continue;
  }
  count('reserved');
  if (random.chance(0.5)) {
    const other = Atomics.exchange(places, place, answer.reservation);
    if (other !== 0n) resolve(other, sku, quantityOf(sku));
  }
  resolve(answer.reservation, sku, quantityOf(sku));
}
parentPort.postMessage({ type: 'bought', told, sold });
