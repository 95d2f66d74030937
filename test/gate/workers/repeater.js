// Admits the same order again and again until `stop` is set.
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { Order, order } from '../order.js';

const gate = Gate.attach(Order, workerData.handle);
const stop = new Int32Array(workerData.stop);
/** @type {Record<string, number>} */
const outcomes = {};
parentPort?.postMessage({ type: 'ready' });
while (Atomics.load(stop, 0) === 0) {
  const { outcome } = gate.admit(order(1));
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}
parentPort?.postMessage({ type: 'done', outcomes });
