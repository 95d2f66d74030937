// Consumes until the queue is closed or the thread is terminated.
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { handler, handlerTimeoutMs, Shop, SoakMemory } from '../soak.js';

const { handle, shared, seed, texts } = workerData;
const shop = new Shop(texts);
const gate = Gate.attach(shop.Order, handle);
const memory = new SoakMemory(shared);
parentPort?.postMessage({ type: 'consumes' });
// Not awaited: see soak-admitter.js.
const handleOrder = handler(
  shop,
  memory,
  new SeededRandom(seed),
  sleep,
  /** @type {import('sluice').Stock} */ (gate.stock),
);
void gate.consume(handleOrder, { concurrency: 16, batchSize: 16, handlerTimeoutMs });
