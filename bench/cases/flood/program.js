/** A process that floods one rival's consumer, and sends its parent the timer gap and the growth of memory. */
import { memoryCurve } from '../../harness/threads/memory-curve.js';
import { withThreads } from '../../harness/threads/start-threads.js';
import { assertDelivered } from '../../harness/traffic.js';

const { rival, producers, warmUpMs, measuredMs } = JSON.parse(process.argv[2] ?? '');
const phasesMs = [warmUpMs, measuredMs];
const threads = {
  rival,
  producers,
  phasesMs,
  consumerFile: new URL('./consumer.js', import.meta.url),
  producerFile: new URL('../../harness/threads/producer.js', import.meta.url),
  producerData: { batch: 1 },
};
const result = await withThreads(threads, async (nextPhase) => {
  let measured = {};
  for (const _ of phasesMs) {
    const memory = memoryCurve();
    const { received, sent } = await nextPhase();
    assertDelivered(sent, received);
    measured = { gapNs: received.longestGapMs * 1e6, ...memory.end() };
  }
  return measured;
});
process.send?.(result);
process.disconnect?.();
