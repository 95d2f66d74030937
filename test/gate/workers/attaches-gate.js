// Attaches a gate whenever it is asked, and admits an order; answers with the outcome, or the code of the error.
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { Order, order } from '../order.js';

/** Keeps what was attached: a collected gate frees the places of its parts. @type {unknown[]} */
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
