/**
 * The consumer thread: on its event loop it checks every order, and records how long ago each order that it times was
 * pushed.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { clockFrom } from '../../harness/threads/clock.js';
import { deliveryCheck } from '../../harness/traffic.js';

/**
 * In a flood, one order in this many is timed. That is enough, and keeps the cost of the clock out of the
 * result.
 */
const STRIDE_SATURATED = 16;
const KEPT_MAX = 1_000_000;

const { rival, link, producers, epoch, perSecond } = workerData;
const { openOutlet } = await load(rival);
const stride = perSecond === Number.POSITIVE_INFINITY ? STRIDE_SATURATED : 1;
const latenciesMs = new Float64Array(KEPT_MAX);
const now = clockFrom(epoch);
let visits = 0;
let kept = 0;

const check = deliveryCheck(producers, (received) => {
  parentPort?.postMessage({ ...received, latenciesMs: latenciesMs.slice(0, kept) });
  visits = kept = 0;
});

parentPort?.postMessage('ready');
await openOutlet(link).consume((order) => {
  if (visits++ % stride === 0 && kept < KEPT_MAX) latenciesMs[kept++] = now() - order.placedAt;
  check(order);
});
