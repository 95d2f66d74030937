// Pushes its numbers into a queue that refuses none of them: see ../overwrite.test.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Row } from '../row.js';

const { handle, producer, count } = workerData;
const queue = Queue.attach(Row, handle);
const number = (/** @type {number} */ sequence) => ({ number: 4 * sequence + producer });
for (let sequence = 0; sequence < count; ) {
  const many = Math.min(1 + (sequence % 9), count - sequence);
  const list = Array.from({ length: many }, (_, i) => number(sequence + i));
  const taken = many === 1 ? Number(queue.tryPush(number(sequence))) : queue.tryPushMany(list);
  if (taken !== many) throw new Error(`${many - taken} of ${many} were refused`);
  sequence += many;
}
parentPort.postMessage({ type: 'done' });
