/**
 * A producer thread: at each start signal it pushes orders for as long as the phase lasts, then an order that is marked
 * as the last, and reports what it sent.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../rival.js';
import { OrderSource } from '../traffic.js';
import { PHASE } from './start-signal.js';

/**
 * How long a producer that found its queue full sleeps before it tries again. The producer never spins, because on two
 * cores that takes the consumer's time. A full queue holds more than half a millisecond of work for the fastest
 * consumer here, so the queue does not run empty meanwhile.
 */
const FULL_PAUSE_MS = 0.1;
/** Records between two looks at the clock. */
const STRETCH = 256;

const { rival, link, producer, batch, recordBytes, phasesMs, control } = workerData;
const { openInlet } = await load(rival);
const inlet = openInlet(link);
const source = new OrderSource(producer, batch, recordBytes);
const neverWoken = new Int32Array(new SharedArrayBuffer(4));

parentPort?.postMessage('ready');
for (const [phase, durationMs] of phasesMs.entries()) {
  Atomics.wait(control, PHASE, phase);
  const end = performance.now() + durationMs;
  if (batch === 1) pushSinglesUntil(end);
  else pushBatchesUntil(end);
  pushOne(source.last());
  inlet.flush?.();
  parentPort?.postMessage(source.report());
}

/** @param {number} end */
function pushSinglesUntil(end) {
  while (performance.now() < end) {
    for (let i = 0; i < STRETCH; i++) {
      for (const order of source.next()) pushOne(order);
    }
  }
}

/** @param {number} end */
function pushBatchesUntil(end) {
  while (performance.now() < end) {
    for (let i = 0; i < STRETCH; i += batch) pushAll(source.next());
  }
}

/** @param {import('../traffic.js').Order} order */
function pushOne(order) {
  while (!inlet.push(order)) pause();
}

/** @param {import('../traffic.js').Order[]} orders */
function pushAll(orders) {
  let taken = inlet.pushMany(orders);
  while (taken < orders.length) {
    pause();
    taken += inlet.pushMany(orders.slice(taken));
  }
}

function pause() {
  Atomics.wait(neverWoken, 0, 0, FULL_PAUSE_MS);
}
