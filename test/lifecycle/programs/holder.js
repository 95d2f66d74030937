// Holds one queue and does with it what each message asks for.
import { parentPort } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Row } from './row.js';

/** @type {import('sluice').Queue<{ number: number }>} */
let queue;

parentPort.on('message', (message) => {
  try {
    parentPort.postMessage(answer(message));
  } catch (error) {
    parentPort.postMessage({ error: error.code ?? error.message });
  }
});

function answer(message) {
  switch (message.do) {
    case 'create':
      queue = Queue.create(Row, { capacity: 100 });
      return { handle: queue.handle };
    case 'attach':
      queue = Queue.attach(Row, message.handle);
      return { done: 'attached' };
    case 'push':
      queue.tryPush({ number: message.number });
      return { done: 'pushed' };
    case 'pop':
      return queue.tryPop();
    case 'dispose':
      queue[Symbol.dispose]();
      return { done: 'disposed' };
    case 'end':
      return parentPort.close();
  }
}
