/** Measures whether a ring still works after a thread was terminated while it pushed. */
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { OrderSource } from '../../harness/traffic.js';

/** The longest time between a pusher's report that it pushes and the moment at which it is to be terminated. */
const PUSHING_MS_MAX = 2;

/**
 * @param {object} run
 * @param {string} run.rival its URL
 * @param {number} run.workers one after the other, each with its own ring
 * @param {() => number} run.random from 0 to 1: when each is terminated
 * @returns {Promise<number>} how many left a ring whose consumer gets no record that is pushed afterwards
 */
export async function countWedged({ rival, workers, random }) {
  let wedged = 0;
  for (let i = 0; i < workers; i++) wedged += (await isWedged(rival, random() * PUSHING_MS_MAX)) ? 1 : 0;
  return wedged;
}

/** @param {string} rival @param {number} pushingMs */
async function isWedged(rival, pushingMs) {
  const { connect, openInlet, openOutlet } = await load(rival);
  const link = connect(2);
  const [end, probeEnd] = link.producers;
  const outlet = openOutlet(link.consumer.data);
  const worker = new Worker(new URL('./pusher.js', import.meta.url), {
    workerData: { rival, link: end?.data },
    transferList: end?.transfer ?? [],
  });
  let draining = true;
  const drained = drainUntil(() => !draining);
  await once(worker, 'message');
  const terminateAt = performance.now() + pushingMs;
  while (performance.now() < terminateAt) await nextTurn();
  await worker.terminate();
  draining = false;
  await drained;

  // No other thread pushes now. The consumer takes what the worker published; if the worker died between claim and
  // publish, the consumer stops there for good, and never gets to the probe.
  while (outlet.drain(() => {}, 65_536) > 0);
  const probe = { ...new OrderSource(1, 1).last(), orderId: 12_345 };
  const inlet = openInlet(probeEnd?.data);
  let arrived = false;
  if (inlet.push(probe)) {
    outlet.drain(({ orderId }) => {
      arrived ||= orderId === probe.orderId;
    }, 65_536);
  }
  // This thread goes on to the next worker. If it did not dispose of its ends, its attachments would keep every ring
  // until they are collected.
  for (const end of [inlet, outlet, link]) end.dispose?.();
  return !arrived;

  /** Keeps the ring from filling up, because a refused pusher claims nothing. @param {() => boolean} isOver */
  async function drainUntil(isOver) {
    while (!isOver()) {
      outlet.drain(() => {}, 4_096);
      await nextTurn();
    }
  }
}
