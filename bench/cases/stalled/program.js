/**
 * A process that offers `attempts` messages to a stalled consumer of one rival. It sends its parent the growth of its
 * resident memory meanwhile, and the number of messages that were taken.
 */
import { residentBytes } from '../../harness/threads/resident-memory.js';
import { withThreads } from '../../harness/threads/start-threads.js';
import { assertDelivered } from '../../harness/traffic.js';
import { STALL } from './stall.js';

/** Four laps of every ring, and enough for V8 to have compiled the code. */
const WARM_UP_ORDERS = 262_144;

const EVERY_MS = 20;

const { rival, attempts } = JSON.parse(process.argv[2] ?? '');
const stall = new Int32Array(new SharedArrayBuffer(4));
const offered = new Int32Array(new SharedArrayBuffer(4));
const threads = {
  rival,
  producers: 1,
  phasesMs: [5_000, 10_000], // at most
  consumerFile: new URL('./consumer.js', import.meta.url),
  consumerData: { stall },
  producerFile: new URL('./producer.js', import.meta.url),
  producerData: { warmUpOrders: WARM_UP_ORDERS, attempts, offered },
};
const result = await withThreads(threads, async (nextPhase, consumer) => {
  const warm = await nextPhase();
  assertDelivered(warm.sent, warm.received);

  consumer.postMessage('stall');
  Atomics.wait(stall, 0, STALL.running);
  for (let i = 0; i < 50; i++) residentBytes(); // until V8 has compiled it
  const before = residentBytes();
  const phase = nextPhase();
  const points = growthUntilOffered(before);
  Atomics.store(stall, 0, STALL.released);
  Atomics.notify(stall, 0);
  const { received, sent } = await phase;
  assertDelivered(sent, received);
  const growth = Math.max(...points.map(([, bytes]) => bytes));
  return { points, growth, taken: attempts - sent[0].refused };
});
process.send?.(result);
process.disconnect?.();

/**
 * Returns the growth of resident memory until all orders have been offered. Blocks this thread meanwhile, so that the
 * thread itself takes almost no memory.
 * @param {number} before
 * @returns {Array<[atMs: number, growth: number]>}
 */
function growthUntilOffered(before) {
  const start = performance.now();
  /** @type {Array<[number, number]>} */
  const points = [[0, 0]];
  while (Atomics.wait(offered, 0, 0, EVERY_MS) === 'timed-out') {
    points.push([performance.now() - start, residentBytes() - before]);
  }
  points.push([performance.now() - start, residentBytes() - before]);
  return points;
}
