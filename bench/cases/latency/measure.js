/** Measures the time from push to handler, in nanoseconds. */
import { withThreads } from '../../harness/threads/start-threads.js';
import { assertDelivered } from '../../harness/traffic.js';

/**
 * @param {object} run
 * @param {string} run.rival its URL
 * @param {number} run.producers
 * @param {number} run.perSecond for each producer; infinite: as many as the producer can push
 * @param {number} run.warmUpMs
 * @param {number} run.measuredMs
 */
export function measureLatency({ rival, producers, perSecond, warmUpMs, measuredMs }) {
  const phasesMs = [warmUpMs, measuredMs];
  const data = { epoch: process.hrtime.bigint(), perSecond };
  const threads = {
    rival,
    producers,
    phasesMs,
    consumerFile: new URL('./consumer.js', import.meta.url),
    consumerData: data,
    producerFile: new URL('./producer.js', import.meta.url),
    producerData: data,
  };
  return withThreads(threads, async (nextPhase) => {
    let latencies = new Float64Array(0);
    for (const _ of phasesMs) {
      const { received, sent } = await nextPhase();
      assertDelivered(sent, received);
      latencies = received.latenciesMs.sort();
    }
    return {
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      p999: quantile(latencies, 0.999),
    };
  });
}

/** @param {Float64Array} sortedMs @param {number} share @returns {number} nanoseconds */
export function quantile(sortedMs, share) {
  const index = Math.min(sortedMs.length - 1, Math.floor(sortedMs.length * share));
  return /** @type {number} */ (sortedMs[index]) * 1e6;
}
