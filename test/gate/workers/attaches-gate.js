// Attaches a gate whenever it is asked, and admits an order; answers with the outcome, or the code of the error.
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { Order, order } from '../order.js';

parentPort?.on('message', () => {
  try {
    const { outcome } = Gate.attach(Order, workerData.handle).admit(order(1));
    parentPort?.postMessage({ type: 'attached', outcome });
  } catch (error) {
    parentPort?.postMessage({ type: 'attached', code: /** @type {{ code?: string }} */ (error).code });
  }
});
