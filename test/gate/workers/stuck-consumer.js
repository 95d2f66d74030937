/** Takes all orders from the gate's queue, and never finishes the first one. */
import { parentPort, workerData } from 'node:worker_threads';
import { Gate, record, u32, u53 } from 'sluice';

setInterval(() => {}, 1_000); // keeps the thread alive until it is terminated
const gate = Gate.attach(record({ id: u53, sku: u32, quantity: u32 }), workerData);
void gate.consume(() => {
  parentPort?.postMessage('in hand');
  return new Promise(() => {});
});
