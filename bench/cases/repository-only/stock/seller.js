// Reserves a unit and cancels the reservation, again and again. It counts the reservations from the moment when the
// shared word is 2, and sends the count when the word is 3.
import { parentPort, workerData } from 'node:worker_threads';
import { Stock } from '../../../../dist/index.js';

const { handle } = workerData;
/** @type {Int32Array} */
const shared = workerData.shared;
const stock = Stock.attach(handle);
const one = { sku: 1, quantity: 1 };
parentPort?.postMessage('ready');
Atomics.wait(shared, 0, 0);

let reservations = 0;
let start = 0n;
for (;;) {
  const state = Atomics.load(shared, 0);
  if (state === 3) break;
  if (state === 2 && start === 0n) {
    start = process.hrtime.bigint();
    reservations = 0;
  }
  for (let i = 0; i < 200; i++) {
    const answer = stock.reserve(one);
    if (answer.ok) {
      stock.cancel(answer.reservation);
      reservations++;
    } else if (answer.reason !== 'ledger-full') {
      // The reason 'ledger-full' is no error: while a thread has lost its processor, the table may look full.
      throw new Error(answer.reason);
    }
  }
}
parentPort?.postMessage({ reservations, seconds: Number(process.hrtime.bigint() - start) / 1e9 });
