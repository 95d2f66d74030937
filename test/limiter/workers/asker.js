// Asks a limiter again and again. Answers { type: 'ask', attempts, costMax, seed } with { type: 'asked', ... }, and
// holds what it was allowed until { type: 'release' } lets it give that back.
import { parentPort, workerData } from 'node:worker_threads';
import { Limiter } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';

const limiter = Limiter.attach(workerData.handle);
let held = 0;

/** @param {{ attempts: number, costMax: number, seed: number }} job */
function ask({ attempts, costMax, seed }) {
  const random = new SeededRandom(seed);
  const refused = { 'token-bucket': 0, 'sliding-window': 0, 'queue-depth': 0 };
  let allowed = 0;
  let cost = 0;
  for (let i = 0; i < attempts; i++) {
    const asked = random.between(1, costMax);
    const decision = limiter.tryAcquire({ cost: asked });
    if (decision.allowed) {
      allowed++;
      cost += asked;
    } else {
      refused[decision.tier]++;
    }
  }
  held += cost;
  parentPort.postMessage({ type: 'asked', allowed, cost, refused });
}

parentPort.on('message', (message) => {
  if (message.type === 'ask') return ask(message);
  for (; held > 0; held--) limiter.release();
  parentPort.postMessage({ type: 'released' });
});
parentPort.postMessage({ type: 'ready' });
