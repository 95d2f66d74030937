// Takes every record, one at a time, by drain() and by popSync(), until the queue is closed and drained: see
// ../empty.test.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Row } from '../row.js';

const queue = Queue.attach(Row, workerData.handle);
for (let taken = 0; ; taken++) {
  if (taken % 3 === 0 && queue.drain(() => {}, 1) === 1) continue;
  if (queue.popSync(1_000) === undefined && queue.closed) break;
}
parentPort.postMessage({ type: 'done' });
