/**
 * The consumer thread: its event loop visits and checks every order, and reports each time all producers have
 * sent their last.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../contenders/contender.js';
import { deliveryCheck } from '../traffic.js';

const { contender, link, producers } = workerData;
const { openOutlet } = await load(contender);
const visit = deliveryCheck(producers, (received) => {
  parentPort?.postMessage({ received, finishedAt: process.hrtime.bigint() });
});
openOutlet(link).consume(visit);
parentPort?.postMessage('ready');
