// terminated.js <seed> <activity>: terminates workers in the middle of an activity; everything works afterwards.

import { once } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SeededRandom } from '../../seeded-random.js';
import { expectWorking, newGate } from './order.js';

const [seed, activity] = process.argv.slice(2);
const random = new SeededRandom(Number(seed));
const gate = newGate();
const { handle } = gate;
for (let round = 0; round < 3; round++) {
  const worker = new Worker(new URL('./busy-worker.js', import.meta.url), {
    workerData: { handle, activity, producer: round },
  });
  await once(worker, 'message');
  // Waits for a random number of turns.
  for (let turns = random.below(200); turns > 0; turns--) await immediate();
  const code = await worker.terminate();
  if (code !== 1) throw new Error(`terminate() came too late: exit code ${code}`);
  await expectWorking(gate);
}
console.log('ok');
