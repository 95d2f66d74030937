/**
 * The consumer thread: it visits and checks orders. Its event loop also has a timer of 1 ms, and it keeps the longest
 * time between two of the timer's ticks.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { deliveryCheck } from '../../harness/traffic.js';

const { rival, link, producers } = workerData;
const { openOutlet } = await load(rival);
let tickedAt = performance.now();
let longestGapMs = 0;

function tick() {
  const now = performance.now();
  longestGapMs = Math.max(longestGapMs, now - tickedAt);
  tickedAt = now;
}

const visit = deliveryCheck(producers, (received) => {
  tick(); // the time since the last tick counts too
  parentPort?.postMessage({ ...received, longestGapMs });
  longestGapMs = 0;
});

setInterval(tick, 1);
parentPort?.postMessage('ready');
await openOutlet(link).consume(visit);
