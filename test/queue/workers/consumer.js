// Becomes the consumer of a queue in the way that `manner` names, posts a message, and stays: see ../lease.test.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Numbered } from '../record.js';

const { handle, manner } = workerData;
const queue = Queue.attach(Numbered, handle);
const tell = (/** @type {string} */ type) => parentPort.postMessage({ type });

/** Resolves at the first message. Until then its listener keeps the thread alive. */
const told = new Promise((resolve) => parentPort.once('message', resolve));

switch (manner) {
  case 'popped':
    queue.tryPop();
    tell('consuming');
    await told;
    break;
  case 'asleep':
    queue.consume(() => {}).catch(() => tell('failed'));
    tell('consuming');
    await told;
    process.exit();
    break;
  case 'in a handler':
    await queue.consume(
      async () => {
        tell('consuming');
        await told;
        process.exit();
      },
      { batchSize: 1 },
    );
    break;
  case 'in a visit':
    queue.drain(() => {
      tell('consuming');
      for (;;);
    }, 1);
    break;
  case 'in its second visit': {
    let visits = 0;
    queue.drain(() => {
      if (++visits < 2) return;
      tell('consuming');
      for (;;);
    });
    break;
  }

  case 'in a loop':
    for (let i = 0; ; i++) {
      queue.tryPop();
      queue.drain(() => {}, 2);
      if (i === 1_000) tell('consuming');
    }

  case 'until closed':
    await queue.consume(() => {});
    tell('consumed');
    await told;
    break;
}
