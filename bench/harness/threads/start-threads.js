/**
 * The threads of a measurement: producer workers and one consumer worker, all new, so that no rival runs on code that
 * was compiled for another.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { load } from '../rival.js';
import { controlWords, startNextPhase } from './start-signal.js';

/** A run that takes this much longer than its phases is abandoned. */
const GRACE_MS = 20_000;

/**
 * @typedef {object} Threads
 * @property {string} rival its URL
 * @property {number} producers
 * @property {number} [recordBytes]
 * @property {number[]} phasesMs how long each phase lasts
 * @property {URL} consumerFile its workerData is { rival, link, producers, recordBytes, phasesMs, ...consumerData }
 * @property {object} [consumerData]
 * @property {URL} producerFile its workerData is { rival, link, producer, recordBytes, phasesMs, control,
 *   ...producerData }
 * @property {object} [producerData]
 */

/**
 * Starts the threads and runs `measure`. Its argument `nextPhase` runs the next phase: it returns the moment (hrtime)
 * at which the producers were released, and the message that the consumer and each producer posted at the end.
 * @template Result
 * @param {Threads} threads
 * @param {(nextPhase: () => Promise<{ startedAt: bigint, received: any, sent: any[] }>, consumer: Worker) =>
 *   Promise<Result>} measure
 * @returns {Promise<Result>}
 */
export async function withThreads(threads, measure) {
  const { rival, producers, recordBytes = 64, phasesMs } = threads;
  const control = controlWords();
  const link = (await load(rival)).connect(producers, recordBytes);
  const deadline = AbortSignal.timeout(phasesMs.reduce((sum, ms) => sum + ms, GRACE_MS));

  /** @param {URL} file @param {import('../rival.js').End} end @param {object} data */
  const start = (file, end, data) =>
    new Worker(file, {
      workerData: { rival, link: end.data, recordBytes, phasesMs, ...data },
      transferList: end.transfer,
    });
  const consumer = start(threads.consumerFile, link.consumer, { producers, ...threads.consumerData });
  const senders = link.producers.map((end, producer) =>
    start(threads.producerFile, end, { producer, control, ...threads.producerData }),
  );
  const all = [consumer, ...senders];
  const answers = async () =>
    (await Promise.all(all.map((thread) => once(thread, 'message', { signal: deadline })))).map(
      ([message]) => message,
    );

  try {
    await answers();
    return await measure(async () => {
      const answered = answers();
      const startedAt = process.hrtime.bigint();
      startNextPhase(control);
      const [received, ...sent] = await answered;
      return { startedAt, received, sent };
    }, consumer);
  } catch (cause) {
    throw deadline.aborted ? new Error('it did not finish in time', { cause }) : cause;
  } finally {
    await Promise.all(all.map((thread) => thread.terminate()));
    link.dispose();
  }
}
