// Admits orders until it is stopped or terminated.
import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { Shop, SoakMemory, violations } from '../soak.js';

const { handle, shared, seed, texts } = workerData;
const shop = new Shop(texts);
const gate = Gate.attach(shop.Order, handle);
const memory = new SoakMemory(shared);
const random = new SeededRandom(seed);
/** Refusals after which the same id may be admitted later. */
const again = [
  'rate-limited',
  'queue-full',
  'ledger-full',
  'users-full',
  'ids-full',
  'in-progress',
  'item-closed',
];

// There is no top-level await: Node.js 20 aborts if a thread is terminated just when a module with one begins.
async function admit() {
  let id = memory.nextId();
  while (!memory.stopped) {
    for (let i = random.between(1, 40); i > 0 && !memory.stopped; i--) {
      const { order, lines } = shop.orderOf(id);
      const holdMs = random.chance(0.2) ? random.between(20, 60) : undefined;
      const options = { key: shop.numberOf(order.user) % 8, holdMs, lines };
      const admission = gate.admit(order, options);
      if (admission.outcome === 'admitted') {
        if (random.chance(0.1)) {
          const repeated = gate.admit(order, options);
          // A consumer may have decided the order meanwhile.
          const told = repeated.outcome === 'admitted' || repeated.outcome === 'already-ended';
          const same = told && repeated.reservation === admission.reservation;
          if (!same) memory.violate(violations.admittedTwice, id);
        }
      } else if (again.includes(admission.outcome) && random.chance(0.8)) {
        break;
      }
      id = memory.nextId();
    }
    await sleep(random.between(1, 6));
  }
}
void admit();
