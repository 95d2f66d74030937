// Asks limiters at random for `seconds`, in bursts with pauses between them. Posts for each limiter the times before
// and after each call that was allowed (ns since `startNs`), its cost and its key, and the slots of time in which its
// bursts began.
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Limiter } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';

const { loads, seconds, startNs, seed, slotMs } = workerData;
const random = new SeededRandom(seed);
const now = () => Number(process.hrtime.bigint() - startNs);

const askers = loads.map(({ handle, keys, costMax }) => ({
  limiter: Limiter.attach(handle),
  keys,
  costMax,
  before: [],
  after: [],
  costs: [],
  keysAllowed: [],
  slots: new Set(),
  held: [],
}));

function burst(asker) {
  const { limiter, keys, costMax } = asker;
  asker.slots.add(Math.floor(now() / 1e6 / slotMs));
  for (let i = 0; i < 100; i++) {
    const key = keys === 0 ? undefined : random.below(keys);
    const cost = random.between(1, costMax);
    const before = now();
    const decision = limiter.tryAcquire(key === undefined ? { cost } : { key, cost });
    const after = now();
    if (!decision.allowed) continue;
    asker.before.push(before);
    asker.after.push(after);
    asker.costs.push(cost);
    asker.keysAllowed.push(key ?? 0);
    asker.held.push(decision);
  }
  // Work ends in any order.
  while (asker.held.length > 50) asker.held.splice(random.below(asker.held.length), 1)[0].release();
}

parentPort.postMessage({ type: 'ready' });
while (now() < seconds * 1e9) {
  for (const asker of askers) burst(asker);
  await pause(random.below(5));
}
for (const { held } of askers) for (const decision of held) decision.release();
parentPort.postMessage({
  type: 'loaded',
  loads: askers.map(({ before, after, costs, keysAllowed, slots }) => ({
    before: Float64Array.from(before),
    after: Float64Array.from(after),
    costs: Uint32Array.from(costs),
    keys: Uint32Array.from(keysAllowed),
    slots: [...slots],
  })),
});
