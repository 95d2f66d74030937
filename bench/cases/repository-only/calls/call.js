/** A calling thread: it opens its end of a case, waits for the start, and reports how long its calls took. */
import { parentPort, workerData } from 'node:worker_threads';
import { loadCase } from '../../../harness/repository-only/caller.js';
import { REST_FACTOR } from './measure.js';

const { which, data, start, phasesMs } = workerData;
const { open } = await loadCase(which);
const caller = await open(data);
let callsInAll = 0;

parentPort?.postMessage('ready');
Atomics.wait(start, 0, 0);
let phase = { calls: 0, seconds: 0 };
for (const durationMs of phasesMs) phase = await callFor(durationMs);
await caller.check(callsInAll);
await caller.close?.();
parentPort?.postMessage(phase);

/**
 * @param {number} durationMs the phase ends when its turns together have taken this long, or turns and rests together
 *   REST_FACTOR times as long
 */
async function callFor(durationMs) {
  const giveUpAt = performance.now() + durationMs * REST_FACTOR;
  let calls = 0;
  let timedMs = 0;
  do {
    const startedAt = performance.now();
    // Awaits turn() only if it returns a promise, because a microtask costs more than some of the calls.
    const turning = caller.turn();
    if (turning !== undefined) await turning;
    timedMs += performance.now() - startedAt;
    calls += caller.calls;
    const resting = caller.rest?.();
    if (resting !== undefined) await resting;
  } while (timedMs < durationMs && performance.now() < giveUpAt);
  callsInAll += calls;
  return { calls, seconds: timedMs / 1_000 };
}
