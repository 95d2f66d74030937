// At each message { type: 'push', handle, producer, first, count, seed }, pushes `count` records, or until the queue is
// closed, one by one and in lists of random lengths. Then answers { type: 'pushed', ... }.
import { parentPort } from 'node:worker_threads';
import { Queue } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { Numbered, numbered } from '../record.js';

const sleeping = new Int32Array(new SharedArrayBuffer(4));

/**
 * @param {{ handle: import('sluice').QueueHandle, producer: number, first: number, count: number, seed: number }} job
 */
function push({ handle, producer, first, count, seed }) {
  using_(Queue.attach(Numbered, handle), (queue) => {
    const random = new SeededRandom(seed);
    let sequence = first;
    let rejected = 0;
    let closed = false;
    try {
      while (sequence < first + count) {
        const wanted = random.chance(0.3) ? 1 : Math.min(random.between(1, 150), first + count - sequence);
        const list = Array.from({ length: wanted }, (_, i) => numbered(producer, sequence + i));
        const taken = wanted === 1 ? Number(queue.tryPush(list[0])) : queue.tryPushMany(list);
        sequence += taken;
        rejected += wanted - taken;
        // The queue is full. Sleeping lets the consumer have the processor.
        if (taken < wanted && random.chance(0.5)) Atomics.wait(sleeping, 0, 0, 0.2);
      }
    } catch (error) {
      if (error.code !== 'ERR_SLUICE_CLOSED') throw error;
      closed = true;
    }
    parentPort.postMessage({ type: 'pushed', producer, pushed: sequence - first, rejected, closed });
  });
}

/**
 * @template {Disposable} T
 * @param {T} resource
 * @param {(resource: T) => void} act
 */
function using_(resource, act) {
  try {
    act(resource);
  } finally {
    resource[Symbol.dispose]();
  }
}

parentPort.on('message', push);
parentPort.postMessage({ type: 'ready' });
