// Admits orders to a gate whose queue overwrites, or pushes them past it, until it is told to stop or is terminated.
import { workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { Order, order } from '../order.js';

const { handle, seed, firstId, ids, shared } = workerData;
const gate = Gate.attach(Order, handle);
const random = new SeededRandom(seed);
/** Words: whether to stop; how many orders were admitted. */
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
    // No thread is in the ledger meanwhile, because other threads may wait for one that is.
    if (random.chance(0.02)) gate.stock?.audit();
    // Now and then an id that was used before, which is told what became of it and changes nothing.
    const id = firstId + random.below(ids);
    const admission = gate.admit(order(id, { user: id % 50, sku: 1 + (id % 3), quantity: 1 + (id % 2) }));
    if (admission.outcome === 'queue-full') throw new Error('there was no room');
    if (admission.outcome === 'admitted' && !admission.duplicate) Atomics.add(words, 1, 1);
  }
  if (Atomics.load(words, 0) === 0) setImmediate(turn);
  else process.exit(0);
}
turn();
