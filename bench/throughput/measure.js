/**
 * Throughput between threads: producer workers to one consumer worker, all fresh, so that no contender runs on
 * code that was compiled for another. A warm-up phase, then the measured one: from the release of the producers
 * to the moment the consumer has finished the last record. Nothing counts that was not delivered, once, unaltered
 * and in its producer's order.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { load } from '../contenders/contender.js';
import { assertDelivered } from '../traffic.js';
import { controlWords, startNextPhase } from './start-signal.js';

/** A run that takes this much longer than its phases is given up. */
const GRACE_MS = 20_000;

/**
 * @typedef {object} Run
 * @property {string} contender its file
 * @property {number} producers
 * @property {number} batch records a push
 * @property {number} warmUpMs
 * @property {number} measuredMs
 */

/**
 * @param {Run} run
 * @returns {Promise<number>} records finished a second
 */
export async function measureThroughput({ contender, producers, batch, warmUpMs, measuredMs }) {
  const phasesMs = [warmUpMs, measuredMs];
  const control = controlWords();
  const link = (await load(contender)).connect(producers);
  const deadline = AbortSignal.timeout(warmUpMs + measuredMs + GRACE_MS);

  /** @param {string} file @param {import('../contenders/contender.js').End} end @param {object} data */
  const start = (file, end, data) =>
    new Worker(new URL(file, import.meta.url), {
      workerData: { contender, link: end.data, ...data },
      transferList: end.transfer,
    });
  const consumer = start('./consumer.js', link.consumer, { producers });
  const senders = link.producers.map((end, producer) =>
    start('./producer.js', end, { producer, batch, phasesMs, control }),
  );

  try {
    const threads = [consumer, ...senders];
    const answers = async () =>
      (await Promise.all(threads.map((thread) => once(thread, 'message', { signal: deadline })))).map(
        ([message]) => message,
      );
    await answers();
    let perSecond = 0;
    for (const _ of phasesMs) {
      const answered = answers();
      const startedAt = process.hrtime.bigint();
      startNextPhase(control);
      const [{ received, finishedAt }, ...sent] = await answered;
      assertDelivered(sent, received);
      perSecond = received.count / (Number(finishedAt - startedAt) / 1e9);
    }
    return perSecond;
  } catch (cause) {
    const what = deadline.aborted ? 'did not finish in time' : 'failed';
    throw new Error(`${contender}, ${producers} producers, batches of ${batch}: ${what}`, { cause });
  } finally {
    await Promise.all([consumer, ...senders].map((thread) => thread.terminate()));
    link.dispose();
  }
}
