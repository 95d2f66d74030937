/** From push to handler. */
import { queues } from '../queues/index.js';
import { measureLatency } from './measure.js';

const MODERATE = 50_000;

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'latency',
  title: 'Latency from push to handler',
  about:
    `One at a time, 64 bytes, to a consumer on its event loop: at ${MODERATE.toLocaleString('en')} a second, a tenth ` +
    'of the throughput of the slowest, and as fast as the producers can: then it is the time to drain a full queue.',
  comparisons: [
    comparison('moderate', `1 producer, ${MODERATE.toLocaleString('en')} a second`, 1, MODERATE),
    comparison('saturated/1p', '1 producer, saturated', 1, Number.POSITIVE_INFINITY),
    comparison('saturated/4p', '4 producers, saturated', 4, Number.POSITIVE_INFINITY),
  ],
  bars: [],
};

/**
 * @param {string} name
 * @param {string} title
 * @param {number} producers
 * @param {number} perSecond
 * @returns {import('../../harness/runner/group.js').Comparison}
 */
function comparison(name, title, producers, perSecond) {
  const id = `latency/${name}`;
  return {
    title,
    chart: 'log',
    figures: [
      { id: `${id}/p50`, title: 'p50', unit: 'ns' },
      { id: `${id}/p99`, title: 'p99', unit: 'ns' },
      { id: `${id}/p99.9`, title: 'p99.9', unit: 'ns' },
    ],
    cases: queues
      .filter(({ producersMax, gathers }) => producersMax >= producers && gathers !== true)
      .map(({ title: subject, file: rival }) => ({
        subject,
        run: async ({ warmUpMs, measuredMs }) => {
          const { p50, p99, p999 } = await measureLatency({
            rival,
            producers,
            perSecond,
            warmUpMs,
            measuredMs,
          });
          return { [`${id}/p50`]: p50, [`${id}/p99`]: p99, [`${id}/p99.9`]: p999 };
        },
      })),
  };
}
