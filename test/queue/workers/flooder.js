// Pushes without a pause until the queue is closed.
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Row, rows } from '../row.js';

const queue = Queue.attach(Row, workerData.handle);
const batch = rows(0, 64);
let pushed = 0;
try {
  for (;;) pushed += queue.tryPushMany(batch);
} catch (error) {
  if (error.code !== 'ERR_SLUICE_CLOSED') throw error;
}
parentPort.postMessage({ type: 'pushed', pushed });
