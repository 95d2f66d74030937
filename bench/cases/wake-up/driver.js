/**
 * One end of the round trips: it sends an order, and when the answer has come through its event loop it sends the next,
 * after a pause or at once. It records how long each trip took. The trips of the warm-up have no pauses, so that V8 has
 * compiled what it will, as in a service that has been running for a while.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { OrderSource } from '../../harness/traffic.js';

const { rival, there, back, pauseMs, warmUpMs, measuredMs } = workerData;
const { openInlet, openOutlet } = await load(rival);
const inlet = openInlet(there);
const source = new OrderSource(0, 1);
/** @type {number[]} */
const tripsMs = [];
const warmAt = performance.now() + warmUpMs;
const endAt = warmAt + measuredMs;
let sentAt = 0;

function send() {
  sentAt = performance.now();
  for (const order of source.next()) {
    if (!inlet.push(order)) throw new Error('full, with one order under way');
  }
}

function answered() {
  const now = performance.now();
  if (sentAt >= warmAt) tripsMs.push(now - sentAt);
  if (now >= endAt && tripsMs.length > 0) parentPort?.postMessage({ tripsMs: Float64Array.from(tripsMs) });
  else if (pauseMs === 0 || now < warmAt) send();
  else setTimeout(send, pauseMs);
}

const consuming = openOutlet(back).consume(answered);
send();
await consuming;
