// At each message, attaches a gate and admits an order. Posts the outcome, or the code of the error.
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { Order, order } from '../order.js';

/** Keeps the gates: a collected gate would free its thread slots in its parts. @type {unknown[]} */
const kept = [];

parentPort?.on('message', () => {
  try {
    const gate = Gate.attach(Order, workerData.handle);
    kept.push(gate);
    const { outcome } = gate.admit(order(1));
    parentPort?.postMessage({ type: 'attached', outcome });
  } catch (error) {
    parentPort?.postMessage({ type: 'attached', code: /** @type {{ code?: string }} */ (error).code });
  }
});
