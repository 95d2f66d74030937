/**
 * The consumer thread: it visits and checks every order, and reports each time it has received the last order of every
 * producer. It runs on its event loop, or spins: then it polls for records and has no event loop at all.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { deliveryCheck } from '../../harness/traffic.js';

/** Records that a spinning consumer takes at a time. */
const TURN_RECORDS = 4_096;

const { rival, link, producers, recordBytes, phasesMs, spins } = workerData;
const { openOutlet } = await load(rival);
let ended = 0;
const visit = deliveryCheck(
  producers,
  (received) => {
    ended++;
    parentPort?.postMessage({ ...received, finishedAt: process.hrtime.bigint() });
  },
  recordBytes,
);
const outlet = openOutlet(link);
parentPort?.postMessage('ready');
if (spins) while (ended < phasesMs.length) outlet.drain(visit, TURN_RECORDS);
else await outlet.consume(visit);
