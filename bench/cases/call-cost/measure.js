/** Runs worker.js, in a fresh worker thread. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** A run is abandoned when it takes this much longer than its warm-up and its measurement together. */
const GRACE_MS = 20_000;

/**
 * @param {object} run
 * @param {string} run.rival its URL
 * @param {number} run.batch records in each call
 * @param {number} run.warmUpMs
 * @param {number} run.measuredMs
 * @returns {Promise<number>} nanoseconds to push and drain a record
 */
export async function measureCallCost(run) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: run });
  try {
    const deadline = AbortSignal.timeout(run.warmUpMs + run.measuredMs + GRACE_MS);
    const [{ nanoseconds }] = await once(worker, 'message', { signal: deadline });
    return nanoseconds;
  } finally {
    await worker.terminate();
  }
}
