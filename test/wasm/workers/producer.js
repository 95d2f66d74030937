/** Pushes numbered records in all ways, and reports which face it used. */
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Row } from '../row.js';

const { handle, thread, count } = workerData;
const queue = Queue.attach(Row, handle);
const row = (/** @type {number} */ number) => ({ thread, number, copy: BigInt(number) });
for (let next = 0; next < count; ) {
  if (next % 3 === 0) {
    const list = Array.from({ length: Math.min(9, count - next) }, (_, i) => row(next + i));
    const pushed = queue.tryPushMany(list);
    next += pushed;
    if (pushed > 0) continue;
  } else if (queue.tryPush(row(next))) {
    next += 1;
    continue;
  }
  await queue.push(row(next));
  next += 1;
}
parentPort?.postMessage(queue.stats().path);
