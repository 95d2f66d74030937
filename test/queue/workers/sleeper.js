// Consumes in its own event loop and acknowledges each record, until the queue is closed.
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Numbered } from '../record.js';
import { acknowledge } from '../sleeping.js';

const queue = Queue.attach(Numbered, workerData.handle);
const records = await acknowledge(queue, new Int32Array(workerData.words), workerData.sleeps);
parentPort.postMessage({ type: 'slept', records });
