/** Consumes numbered records in all ways, and reports what it got and which face it used. */
import { setTimeout as after } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Row } from '../row.js';

const { handle, threads, count } = workerData;
const queue = Queue.attach(Row, handle);
/** @type {number[]} */
const next = new Array(threads).fill(0);
let wrong = 0;
let got = 0;
const visit = (/** @type {{ thread: number, number: number, copy: bigint }} */ { thread, number, copy }) => {
  if (number !== next[thread] || copy !== BigInt(number)) wrong += 1;
  next[thread] = number + 1;
  got += 1;
};
await queue.consume(
  async (batch) => {
    batch.forEach(visit);
    queue.drain(visit, 1);
    queue.drain(visit, 20);
    queue.popMany(5).forEach(visit);
    const one = queue.tryPop();
    if (one !== undefined) visit(one);
    if (got % 7 === 0) await after(1); // so that producers wait, and this thread sleeps
    if (got === threads * count) queue.close();
  },
  { batchSize: 3 },
);
parentPort?.postMessage({ got, wrong, path: queue.stats().path });
