/** The producer thread: pushes for as long as a phase lasts, and reports the sent and the received orders. */
import { parentPort, workerData } from 'node:worker_threads';
import { OrderSource } from '../../traffic.js';

/** Records between two looks at the clock. */
const STRETCH = 256;

const { file, batch, phasesMs } = workerData;
const { open } = await import(file);
/** @type {import('./measure.js').Spawner} */
const rival = await open();
const source = new OrderSource(0, batch);

for (const durationMs of phasesMs) {
  const arriving = rival.allArrived();
  const startedAt = process.hrtime.bigint();
  const end = performance.now() + durationMs;
  while (performance.now() < end) {
    for (let i = 0; i < STRETCH; i += batch) {
      const orders = source.next();
      const room = batch === 1 ? rival.push(/** @type {any} */ (orders[0])) : rival.pushMany(orders);
      if (room !== undefined) await room;
    }
  }
  await rival.push(source.last());
  const sent = source.report();
  parentPort?.postMessage({ startedAt, sent, received: await arriving });
}
