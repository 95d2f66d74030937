// Pushes a record, waits until the consumer has acknowledged it, and so on, so the consumer may fall asleep before each
// one. Ends when the consumer has slept often enough. Posts { type: 'ended', lost } if an acknowledgement does not
// come.
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { Numbered, numbered } from '../record.js';
import { acknowledged, enough } from '../sleeping.js';

const patienceMs = 20_000;
const { handle, producer, seed } = workerData;
const words = new Int32Array(workerData.words);
const queue = Queue.attach(Numbered, handle);
const random = new SeededRandom(seed);

let sequence = 0;
while (!enough(words)) {
  queue.tryPush(numbered(producer, sequence));
  while (acknowledged(words, producer) === sequence) {
    if (Atomics.wait(words, producer, sequence, patienceMs) === 'timed-out') {
      parentPort.postMessage({ type: 'ended', lost: { producer, sequence } });
      process.exit();
    }
  }
  sequence++;
  // In about seven of ten rounds this thread pauses a little, so that its pushes meet the consumer at different steps
  // of falling asleep.
  for (let i = random.chance(0.7) ? random.below(3_000) : 0; i > 0; i--) random.next();
}
parentPort.postMessage({ type: 'ended' });
