/**
 * Measures throughput between threads: a warm-up phase, then the measured one, from the release of the producers to the
 * moment when the consumer has finished the last record. The measurement fails unless every record was delivered once
 * and in its producer's order, and the checksums of the records sent and received are equal.
 */
import { withThreads } from '../../harness/threads/start-threads.js';
import { assertDelivered } from '../../harness/traffic.js';

/**
 * @typedef {object} Run
 * @property {string} rival its URL
 * @property {number} producers
 * @property {number} batch records in each push
 * @property {number} recordBytes
 * @property {boolean} spins the consumer polls for records, instead of being woken on its event loop
 * @property {number} warmUpMs
 * @property {number} measuredMs
 */

/**
 * @param {Run} run
 * @returns {Promise<number>} records finished a second
 */
export function measureThroughput(run) {
  const { threads, measure } = throughputOf(run);
  return withThreads(threads, measure);
}

/**
 * Returns the threads of a measurement, and the function that measures them: both are for withThreads().
 * @param {Run} run
 */
export function throughputOf({ rival, producers, batch, recordBytes, spins, warmUpMs, measuredMs }) {
  const phasesMs = [warmUpMs, measuredMs];
  const threads = {
    rival,
    producers,
    recordBytes,
    phasesMs,
    consumerFile: new URL('./consumer.js', import.meta.url),
    consumerData: { spins },
    producerFile: new URL('../../harness/threads/producer.js', import.meta.url),
    producerData: { batch },
  };
  /** @param {() => Promise<{ startedAt: bigint, received: any, sent: any[] }>} nextPhase */
  const measure = async (nextPhase) => {
    let perSecond = 0;
    for (const _ of phasesMs) {
      const { startedAt, received, sent } = await nextPhase();
      assertDelivered(sent, received);
      perSecond = received.count / (Number(received.finishedAt - startedAt) / 1e9);
    }
    return perSecond;
  };
  return { threads, measure };
}
