/**
 * A worker that times one rival's push and drain in one thread: the cost of the calls, the codec included, not a
 * throughput. Each worker runs one case, so that no rival runs on code compiled for another.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { OrderSource } from '../../harness/traffic.js';

/** Records between two looks at the clock. They take ten microseconds or more. */
const STRETCH = 512;

const { rival, batch, warmUpMs, measuredMs } = workerData;
const { connect, openInlet, openOutlet } = await load(rival);
const link = connect(1);
const inlet = openInlet(/** @type {import('../../harness/rival.js').End} */ (link.producers[0]).data);
const outlet = openOutlet(link.consumer.data);

const { orders } = new OrderSource(0, batch);
const [order] = /** @type {[import('../../harness/traffic.js').Order]} */ (orders);
let calls = 0;
let visits = 0;
let skus = 0;
/** @type {import('../../harness/rival.js').Visit} Does almost nothing, because only the calls should be timed. */
const visit = ({ sku }) => {
  visits++;
  skus += sku;
};

const one = () => {
  for (let i = 0; i < STRETCH; i++) {
    inlet.push(order);
    outlet.drain(visit, 1);
  }
  calls += STRETCH;
};
/** Used for a rival that gathers: pushes 64 records, after which the batcher publishes them, and drains them. */
const gathered = () => {
  for (let i = 0; i < STRETCH; i += 64) {
    for (let j = 0; j < 64; j++) inlet.push(order);
    outlet.drain(visit, 64);
  }
  calls += STRETCH;
};
const many = () => {
  for (let i = 0; i < STRETCH; i += batch) {
    inlet.pushMany(orders);
    outlet.drain(visit, batch);
  }
  calls += STRETCH / batch;
};

const stretch = batch > 1 ? many : inlet.flush === undefined ? one : gathered;
timed(warmUpMs);
const nanoseconds = timed(measuredMs);
link.dispose();

const skusPerCall = orders.reduce((sum, { sku }) => sum + sku, 0);
if (visits !== calls * batch || skus !== calls * skusPerCall) {
  throw new Error(`delivery failed: ${calls * batch} pushed, ${visits} visited, sum of skus ${skus}`);
}
parentPort?.postMessage({ nanoseconds });

/** @param {number} ms @returns {number} nanoseconds a record */
function timed(ms) {
  const before = visits;
  const start = performance.now();
  let now = start;
  while (now < start + ms) {
    stretch();
    now = performance.now();
  }
  return ((now - start) * 1e6) / (visits - before);
}
