/**
 * `npm run bench:micro`: benny's suites of push and drain, in one thread, for the queues that bench/cases/queues lists.
 */
import benny from 'benny';
import { CAPACITY, load } from '../../../harness/rival.js';
import { OrderSource } from '../../../harness/traffic.js';
import { queues } from '../../queues/index.js';

const BATCH = 64;
const { orders } = new OrderSource(0, BATCH);
const [order] = /** @type {[import('../../../harness/traffic.js').Order]} */ (orders);
let skus = 0;
/** @type {import('../../../harness/rival.js').Visit} */
const visit = ({ sku }) => {
  skus += sku;
};

/** @type {Record<'one' | 'many', ReturnType<typeof benny.add>[]>} */
const cases = { one: [], many: [] };
for (const { file, title, batches } of queues) {
  const { connect, openInlet, openOutlet } = await load(file);
  const link = connect(1);
  const inlet = openInlet(link.producers[0]?.data);
  const outlet = openOutlet(link.consumer.data);
  const one = () => {
    inlet.push(order);
    outlet.drain(visit, 1);
  };
  const many = () => {
    inlet.pushMany(orders);
    outlet.drain(visit, BATCH);
  };
  if (inlet.flush === undefined) cases.one.push(benny.add(title, one)); // with flush(), push() only gathers
  if (batches) cases.many.push(benny.add(title, many));
}
await benny.suite('push and drain, one at a time', ...cases.one, benny.cycle(), benny.complete());
await benny.suite(`push and drain, ${BATCH} at a time`, ...cases.many, benny.cycle(), benny.complete());
if (!(skus > CAPACITY)) throw new Error('nothing was delivered');
process.exit(); // open ports would keep the process alive
