/**
 * The consumer thread: visits and checks orders. On request it blocks its event loop, as a long computation does, until
 * it is released.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { deliveryCheck } from '../../harness/traffic.js';
import { STALL } from './stall.js';

const { rival, link, producers, stall } = workerData;
const { openOutlet } = await load(rival);
const visit = deliveryCheck(producers, (received) => parentPort?.postMessage(received));

parentPort?.on('message', () => {
  Atomics.store(stall, 0, STALL.stalled);
  Atomics.notify(stall, 0);
  Atomics.wait(stall, 0, STALL.stalled);
});
parentPort?.postMessage('ready');
await openOutlet(link).consume(visit);
