/** CPU profiles of one producer thread and one consumer thread of a rival, while the producer floods the consumer. */
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { withThreads } from '../harness/threads/start-threads.js';
import { assertDelivered } from '../harness/traffic.js';

const WRITTEN_WITHIN_MS = 30_000;
const thread = new URL('./profiled-thread.js', import.meta.url);

/**
 * @param {object} run
 * @param {string} run.rival its URL
 * @param {number} run.measuredMs
 * @param {{ producer: string, consumer: string }} run.profiles the files to write
 */
export async function profileThreads({ rival, measuredMs, profiles }) {
  for (const file of Object.values(profiles)) rmSync(file, { force: true });
  const threads = {
    rival,
    producers: 1,
    phasesMs: [measuredMs],
    consumerFile: thread,
    consumerData: {
      file: new URL('../cases/throughput/consumer.js', import.meta.url).href,
      spins: false,
      profile: profiles.consumer,
    },
    producerFile: thread,
    producerData: {
      file: new URL('../harness/threads/producer.js', import.meta.url).href,
      batch: 1,
      profile: profiles.producer,
    },
  };
  await withThreads(threads, async (nextPhase, consumer) => {
    const { received, sent } = await nextPhase();
    assertDelivered(sent, received);
    consumer.postMessage('write the profile');
    const giveUpAt = performance.now() + WRITTEN_WITHIN_MS;
    while (!Object.values(profiles).every((file) => existsSync(file))) {
      if (performance.now() > giveUpAt) throw new Error(`${rival}: no profile was written`);
      await sleep(10);
    }
  });
}
