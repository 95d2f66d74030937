/** Runs call-cost.js in a fresh worker. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** A run that takes this much longer than it was given is given up. */
const GRACE_MS = 20_000;

/**
 * @param {object} run
 * @param {import('../contenders/contender.js').ContenderName} run.contender
 * @param {number} run.batch records a call
 * @param {number} run.seconds
 * @returns {Promise<number>} records pushed and drained a second
 */
export async function measureCallCost({ contender, batch, seconds }) {
  const worker = new Worker(new URL('./call-cost.js', import.meta.url), {
    workerData: { contender, batch, seconds },
    stdout: true, // benny announces its suites there
  });
  try {
    const deadline = AbortSignal.timeout(seconds * 1_000 + GRACE_MS);
    const [{ perSecond }] = await once(worker, 'message', { signal: deadline });
    return perSecond;
  } finally {
    await worker.terminate();
  }
}
