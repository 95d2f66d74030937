/**
 * The producer thread. At its start it rehearses: it offers messages to links of its own, which have no consumer, and
 * goes on after those with a bound are full. Then V8 has compiled all of the code, and the memory for that is in use
 * before growth is measured.
 *
 * First phase: it delivers enough orders for several laps of every ring, so that all memory of the ring is in use.
 * Second phase: `attempts` orders for a stalled consumer. The producer offers each once, and does not try again when a
 * full queue refuses it. After the last it sets `offered`; then program.js releases the consumer.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { PHASE } from '../../harness/threads/start-signal.js';
import { OrderSource } from '../../harness/traffic.js';

/** How long the producer sleeps when the queue is full: see harness/threads/producer.js. */
const FULL_PAUSE_MS = 0.1;

/** More than any ring holds. */
const REHEARSED = 80_000;
/** Several links, because V8 compiles the code again for each link's functions. */
const REHEARSALS = 4;

const { rival, link, producer, control, warmUpOrders, attempts, offered } = workerData;
const { connect, openInlet } = await load(rival);
const rehearsals = Array.from({ length: REHEARSALS }, () => connect(1));
for (const { producers } of rehearsals) {
  offer(openInlet(producers[0]?.data), new OrderSource(producer, 1), REHEARSED);
}

const inlet = openInlet(link);
const source = new OrderSource(producer, 1);
const neverWoken = new Int32Array(new SharedArrayBuffer(4));

parentPort?.postMessage('ready');
Atomics.wait(control, PHASE, 0);
for (let i = 0; i < warmUpOrders; i++) for (const order of source.next()) deliver(order);
end(0);

Atomics.wait(control, PHASE, 1);
const refused = offer(inlet, source, attempts);
Atomics.store(offered, 0, 1);
Atomics.notify(offered, 0);
end(refused);

/**
 * @param {import('../../harness/rival.js').Inlet} to
 * @param {OrderSource} from
 * @param {number} times
 * @returns {number} how many were refused
 */
function offer(to, from, times) {
  const [order] = /** @type {[import('../../harness/traffic.js').Order]} */ (from.orders);
  let no = 0;
  for (let i = 0; i < times; i++) {
    const { count, checksum } = from;
    from.next();
    if (to.push(order)) continue;
    no++;
    from.count = count; // it was not sent, so the next order gets its number
    from.checksum = checksum;
  }
  return no;
}

/** @param {import('../../harness/traffic.js').Order} given */
function deliver(given) {
  while (!inlet.push(given)) Atomics.wait(neverWoken, 0, 0, FULL_PAUSE_MS);
}

/** @param {number} refusals */
function end(refusals) {
  deliver(source.last());
  parentPort?.postMessage({ ...source.report(), refused: refusals });
}
