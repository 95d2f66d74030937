/**
 * A worker that has benny time one contender's push and drain in one thread: what the calls cost, not a
 * throughput. One case per worker, so that no contender runs on code that was compiled for another.
 */
import { parentPort, workerData } from 'node:worker_threads';
import benny from 'benny';
import { load } from '../contenders/contender.js';
import { assertDelivered, deliveryCheck, OrderSource } from '../traffic.js';

const { contender, batch, seconds } = workerData;
const { connect, openInlet, openOutlet } = await load(contender);
const link = connect(1);
const inlet = openInlet(/** @type {import('../contenders/contender.js').End} */ (link.producers[0]).data);
const outlet = openOutlet(link.consumer.data);

const source = new OrderSource(0, batch);
/** @type {import('../traffic.js').Received | undefined} */
let received;
const visit = deliveryCheck(1, (all) => {
  received = all;
});

const one = () => {
  for (const order of source.next()) inlet.push(order);
  outlet.drain(visit, 1);
};
const many = () => {
  inlet.pushMany(source.next());
  outlet.drain(visit, batch);
};

const summary = await benny.suite(
  contender,
  benny.add('push and drain', batch === 1 ? one : many, { minTime: seconds / 5, maxTime: seconds }),
);
inlet.push(source.last());
outlet.drain(visit, 1);
if (received === undefined) throw new Error('delivery failed: the last order did not arrive');
assertDelivered([source.report()], received);
link.dispose();

const [result] = summary.results;
parentPort?.postMessage({ perSecond: (result?.ops ?? 0) * batch });
