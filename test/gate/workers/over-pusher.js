// A producer thread for a gate whose queue overwrites. It admits orders, and pushes other records directly to the
// queue, past the gate. It runs until the test sets the first word of `shared`, or terminates it.
import { workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { Order, order } from '../order.js';

const { handle, seed, firstId, ids, shared } = workerData;
const gate = Gate.attach(Order, handle);
const random = new SeededRandom(seed);
/** The first word is 1 when the thread must stop. The second counts the orders that all such threads have admitted. */
const words = new Int32Array(shared);
const batcher = gate.queue.batcher({ max: 8 });

function pushPast() {
  const past = order(0, { note: 'past' });
  const way = random.below(4);
  if (way === 0) gate.queue.tryPush(past);
  if (way === 1) gate.queue.tryPushMany(Array.from({ length: random.between(1, 90) }, () => past));
  if (way === 2) gate.queue.tryReserve(2)?.send(past);
  if (way === 3) batcher.push(past);
}

function turn() {
  for (let i = 0; i < 50 && Atomics.load(words, 0) === 0; i++) {
    if (random.chance(0.1)) {
      pushPast();
      continue;
    }
    // An audit pauses the other threads' operations on the ledger.
    if (random.chance(0.02)) gate.stock?.audit();
    // Some of these ids were used before. Such an admission gets the earlier answer, and changes nothing.
    const id = firstId + random.below(ids);
    const admission = gate.admit(order(id, { user: id % 50, sku: 1 + (id % 3), quantity: 1 + (id % 2) }));
    if (admission.outcome === 'queue-full') throw new Error('there was no room');
    if (admission.outcome === 'admitted' && !admission.duplicate) Atomics.add(words, 1, 1);
  }
  if (Atomics.load(words, 0) === 0) setImmediate(turn);
  else process.exit(0);
}
turn();
