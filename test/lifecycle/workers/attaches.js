// Attaches a stock `times` times, disposes of none, and uses all. Posts the result, and stays until it is ended.
import { parentPort, workerData } from 'node:worker_threads';
import { Stock } from 'sluice';

const { handle, times } = workerData;
const attached = Array.from({ length: times }, () => Stock.attach(handle));
const reserved = attached.filter((stock) => stock.reserve({ sku: 1, quantity: 1 }).ok).length;
parentPort?.on('message', () => {});
parentPort?.postMessage({ type: 'used', reserved });
