/**
 * A producer thread that stamps each order with the moment of its push, and pushes `perSecond` orders a second, or with
 * an infinite rate as many as it can. It spins to keep its rate, because a sleep is longer than the time between two
 * orders.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { clockFrom } from '../../harness/threads/clock.js';
import { PHASE } from '../../harness/threads/start-signal.js';
import { OrderSource } from '../../harness/traffic.js';

/** How long the producer sleeps when the queue is full: see harness/threads/producer.js. */
const FULL_PAUSE_MS = 0.1;

const { rival, link, producer, phasesMs, control, epoch, perSecond } = workerData;
const { openInlet } = await load(rival);
const inlet = openInlet(link);
const source = new OrderSource(producer, 1);
const neverWoken = new Int32Array(new SharedArrayBuffer(4));
const now = clockFrom(epoch);
const intervalMs = 1_000 / perSecond;

parentPort?.postMessage('ready');
for (const [phase, durationMs] of phasesMs.entries()) {
  Atomics.wait(control, PHASE, phase);
  const start = now();
  for (let sent = 0; now() < start + durationMs; sent++) {
    while (now() < start + sent * intervalMs);
    for (const order of source.next()) push(order);
  }
  push(source.last());
  parentPort?.postMessage(source.report());
}

/** @param {import('../../harness/traffic.js').Order} order */
function push(order) {
  order.placedAt = now();
  while (!inlet.push(order)) Atomics.wait(neverWoken, 0, 0, FULL_PAUSE_MS);
}
