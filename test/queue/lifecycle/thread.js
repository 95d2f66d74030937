// A thread of ./cases.js: does one thing with the queue, and posts the result.
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Row } from '../row.js';

const long = 2 ** 31 - 1;
const { handle, act } = workerData;
const queue = handle === undefined ? Queue.create(Row, { capacity: 1 }) : Queue.attach(Row, handle);
const say = (/** @type {unknown} */ what) => parentPort.postMessage(what);
const forever = () => new Promise(() => setInterval(() => {}, 1e6));

/** @type {Record<string, () => unknown>} */
const acts = {
  push: () => queue.push({ number: 7 }),
  pushSync: () => queue.pushSync({ number: 7 }, long),
  reserve: async () => {
    await queue.reserve(1);
    await forever();
  },
  popSync: () => queue.popSync(long),
  async consume() {
    let records = 0;
    await queue.consume((batch) => {
      records += batch.length;
    });
    return records;
  },
  async 'consume nothing'() {
    void queue.consume(() => forever());
    say('consuming');
    await forever();
  },
  close: () => queue.close(),
  'close later': () => setTimeout(() => queue.close(), 20),
  'pop later': () => setTimeout(() => queue.tryPop(), 20),
  async create() {
    queue.tryPush({ number: 1 });
    say(queue.handle);
    await new Promise((resolve) => parentPort.once('message', resolve));
    process.exit();
  },
  fail() {
    queue.tryPop();
    queue.tryReserve(2);
    throw new Error('failed');
  },
  churn() {
    const batcher = queue.batcher({ lane: 1 });
    for (let i = 0; ; i++) {
      queue.tryPush({ number: i });
      batcher.push({ number: i });
      queue.tryReserve(1)?.[Symbol.dispose]();
      queue.pushSync({ number: i }, 0.01);
      if (i % 3 === 0) batcher.flush();
      if (i === 10) say('churning');
    }
  },
};

// There is no top-level await: Node.js 20 aborts if a thread is terminated just when a module with one begins.
async function work() {
  try {
    const came = await acts[act]?.();
    say(came === undefined || typeof came === 'object' ? 'done' : came);
  } catch (error) {
    if (act === 'fail') throw error;
    say(error.code ?? String(error));
  }
}
void work();
