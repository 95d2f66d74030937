/**
 * Throughput of a rival that starts its consumer itself, in another thread, and that only the starting thread can use:
 * one producer thread, which has an event loop, to one consumer. It measures the same as throughput/measure.js, and
 * checks delivery in the same way.
 *
 * @typedef {object} Spawner the result of the function `open` of its module, called once for each measurement; the
 *   module also exports `file`, its URL
 * @property {(order: import('../../traffic.js').Order) => void | Promise<unknown>} push a promise means full, until it
 *   resolves
 * @property {(orders: import('../../traffic.js').Order[]) => void | Promise<unknown>} pushMany
 * @property {() => Promise<import('./consumer.js').Report>} allArrived the consumer's report, after it has received the
 *   last order of a phase
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { assertDelivered } from '../../traffic.js';

/** A run that takes this much longer than its phases is abandoned. */
const GRACE_MS = 20_000;

/**
 * @param {object} run
 * @param {string} run.file the rival's URL
 * @param {number} run.batch records in each push
 * @param {number} run.warmUpMs
 * @param {number} run.measuredMs
 * @returns {Promise<number>} records finished a second
 */
export async function measureSpawning({ file, batch, warmUpMs, measuredMs }) {
  const phasesMs = [warmUpMs, measuredMs];
  const signal = AbortSignal.timeout(warmUpMs + measuredMs + GRACE_MS);
  const producer = new Worker(new URL('./producer.js', import.meta.url), {
    workerData: { file, batch, phasesMs },
  });
  const ended = once(producer, 'exit').then(([code]) => {
    throw new Error(`the producer thread ended with code ${code}`);
  });
  ended.catch(() => {}); // terminate() below rejects it, too
  try {
    let perSecond = 0;
    for (const _ of phasesMs) {
      const [{ startedAt, sent, received }] = await Promise.race([
        once(producer, 'message', { signal }),
        ended,
      ]);
      assertDelivered([sent], received);
      perSecond = received.count / (Number(received.finishedAt - startedAt) / 1e9);
    }
    return perSecond;
  } finally {
    await producer.terminate();
  }
}
