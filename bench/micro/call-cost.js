/**
 * A worker that has benny time one contender's push and drain in one thread: what the calls cost, the codec
 * included, not a throughput. One case per worker, so that no contender runs on code compiled for another.
 */
import { parentPort, workerData } from 'node:worker_threads';
import benny from 'benny';
import { load } from '../contenders/contender.js';
import { OrderSource } from '../traffic.js';

const { contender, batch, seconds } = workerData;
const { connect, openInlet, openOutlet } = await load(contender);
const link = connect(1);
const inlet = openInlet(/** @type {import('../contenders/contender.js').End} */ (link.producers[0]).data);
const outlet = openOutlet(link.consumer.data);

const { orders } = new OrderSource(0, batch);
const [order] = /** @type {[import('../traffic.js').Order]} */ (orders);
let calls = 0;
let visits = 0;
let skus = 0;
/** @type {import('../contenders/contender.js').Visit} Little more than nothing: what is timed is the calls. */
const visit = ({ sku }) => {
  visits++;
  skus += sku;
};

const one = () => {
  calls++;
  inlet.push(order);
  outlet.drain(visit, 1);
};
const many = () => {
  calls++;
  inlet.pushMany(orders);
  outlet.drain(visit, batch);
};

const summary = await benny.suite(
  contender,
  benny.add('push and drain', batch === 1 ? one : many, { minTime: seconds / 5, maxTime: seconds }),
);
link.dispose();

const skusPerCall = orders.reduce((sum, { sku }) => sum + sku, 0);
if (visits !== calls * batch || skus !== calls * skusPerCall) {
  throw new Error(`delivery failed: ${calls * batch} pushed, ${visits} visited, sum of skus ${skus}`);
}
const [result] = summary.results;
parentPort?.postMessage({ perSecond: (result?.ops ?? 0) * batch });
