/**
 * Measures calls: the cost of a call in one thread, or the calls that several threads make together. Each measurement
 * has new threads, so that no case runs on code that was compiled for another.
 */
import { once } from 'node:events';
import { basename } from 'node:path/posix';
import { Worker } from 'node:worker_threads';
import { loadCase } from '../../../harness/repository-only/caller.js';

/** A run is abandoned when it takes this much longer than its phases may take. */
const GRACE_MS = 30_000;
/** Rests are not timed, but take time too: a phase ends at the latest after this many times its timed duration. */
export const REST_FACTOR = 4;

/**
 * @param {object} run
 * @param {import('../../../harness/repository-only/caller.js').CaseName} run.which
 * @param {number} run.threads
 * @param {number} run.warmUpMs
 * @param {number} run.measuredMs of timed turns
 * @returns {Promise<number>} calls a second, of all threads together
 */
export async function measureCalls({ which, threads, warmUpMs, measuredMs }) {
  const { share } = await loadCase(which);
  const shared = (await share?.()) ?? { data: undefined, dispose() {} };
  const start = new Int32Array(new SharedArrayBuffer(4));
  const deadline = AbortSignal.timeout((warmUpMs + measuredMs) * REST_FACTOR + GRACE_MS);
  const workers = Array.from(
    { length: threads },
    () =>
      new Worker(new URL('./call.js', import.meta.url), {
        workerData: { which, data: shared.data, start, phasesMs: [warmUpMs, measuredMs] },
      }),
  );
  try {
    const answers = () =>
      Promise.all(workers.map(async (worker) => (await once(worker, 'message', { signal: deadline }))[0]));
    await answers();
    const answered = answers();
    Atomics.store(start, 0, 1);
    Atomics.notify(start, 0);
    let perSecond = 0;
    for (const { calls, seconds } of await answered) perSecond += calls / seconds;
    return perSecond;
  } catch (cause) {
    const what = deadline.aborted ? 'did not finish in time' : 'failed';
    throw new Error(`${basename(which.file)}, ${which.name}, ${threads} threads: ${what}`, { cause });
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
    await shared.dispose();
  }
}
