/**
 * A process that counts what one rival allocates on V8's heap, in one thread, and sends the figures to its parent. The
 * process is started twice: with a young generation so large that nothing is collected while it counts bytes, and
 * (`collections`) with the default one, to count collections.
 */
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { load } from '../../harness/rival.js';
import { OrderSource } from '../../harness/traffic.js';

/** Records that are pushed and then drained: half of a queue's capacity. */
const RUN = 32_768;

const { rival, collections, runs, warmUpRuns } = JSON.parse(process.argv[2] ?? '');
const { connect, openInlet, openOutlet } = await load(rival);
const link = connect(1);
const inlet = openInlet(link.producers[0]?.data);
const outlet = openOutlet(link.consumer.data);
const [order] = /** @type {[import('../../harness/traffic.js').Order]} */ (new OrderSource(0, 1).orders);
let skus = 0;
/** @type {import('../../harness/rival.js').Visit} */
const visit = ({ sku }) => {
  skus += sku;
};

function push() {
  for (let i = 0; i < RUN; i++) inlet.push(order);
  inlet.flush?.();
}
/** Drains some records at a time, as a consumer on its event loop does. */
function drain() {
  for (let i = 0; i < RUN; i += 4_096) outlet.drain(visit, 4_096);
}

for (let i = 0; i < warmUpRuns; i++) {
  grownBy(push);
  grownBy(drain);
}
const profiler = new GCProfiler();
const result = collections ? countCollections() : countBytes();
link.dispose();
if (skus === 0) throw new Error('nothing was delivered');
process.send?.(result);
process.disconnect?.();

function countBytes() {
  globalThis.gc?.(); // otherwise garbage of the warm-up would fill a part of the young generation
  profiler.start();
  const looking = grownBy(() => {});
  let pushed = 0;
  let drained = 0;
  for (let i = 0; i < runs; i++) {
    pushed += grownBy(push) - looking;
    drained += grownBy(drain) - looking;
  }
  const collected = profiler.stop().statistics.length;
  if (collected > 0) throw new Error(`${collected} collections while bytes were counted`);
  // Divided by so many records, V8's own allocations meanwhile are so small a part of a byte that rounding removes
  // them.
  const each = (/** @type {number} */ bytes) => Math.round((bytes / runs / RUN) * 100) / 100;
  return { push: each(pushed), drain: each(drained) };
}

function countCollections() {
  profiler.start();
  for (let i = 0; i < runs; i++) {
    push();
    drain();
  }
  const collected = profiler.stop().statistics.length;
  return { perMillion: (collected / (runs * RUN)) * 1e6 };
}

/** @param {() => void} act @returns {number} bytes by which the heap is larger after `act` */
function grownBy(act) {
  const before = getHeapStatistics().used_heap_size;
  act();
  return getHeapStatistics().used_heap_size - before;
}
