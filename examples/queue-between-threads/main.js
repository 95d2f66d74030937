// @ts-check
// One thread pushes records, another one consumes them: the queue's memory is shared, and nothing is copied as JSON.
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Queue, record, u32, utf8 } from 'sluice';

const Line = record({ number: u32, text: utf8(40) });

if (isMainThread) {
  const lines = Queue.create(Line, { capacity: 1_024 });
  new Worker(new URL(import.meta.url), { workerData: lines.handle });
  for await (const { number, text } of lines) console.log(`${number}: ${text}`);
  console.log('the queue is closed and empty');
} else {
  const lines = Queue.attach(Line, workerData);
  for (const number of [1, 2, 3]) {
    await lines.push({ number, text: 'written by the other thread' }); // waits while the queue is full
  }
  lines.close(); // what is inside is still consumed
}

// Prints:
// 1: written by the other thread
// 2: written by the other thread
// 3: written by the other thread
// the queue is closed and empty
