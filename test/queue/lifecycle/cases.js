// One case of a queue's life in a process of its own: `node cases.js <name>`. Prints what ../lifecycle.test.ts expects.
import { setImmediate as immediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Queue } from 'sluice';
import { nativeOf } from '../native-of.js';
import { Row, rows } from '../row.js';

/** @param {unknown[]} what */
const say = (...what) =>
  console.log(what.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' '));
/** @param {Promise<unknown>} promise */
const code = (promise) =>
  promise.then(
    () => 'fulfilled',
    (error) => error.code,
  );
const create = (options = {}) => Queue.create(Row, { capacity: 4, ...options });
/** @param {() => boolean} condition */
async function until(condition) {
  while (!condition()) await immediate();
}

/**
 * Starts a thread that does `act` with the queue.
 * @param {Queue<{ number: number }> | undefined} queue
 * @param {string} act
 */
function thread(queue, act) {
  const worker = new Worker(new URL('./thread.js', import.meta.url), {
    workerData: { handle: queue?.handle, act },
  });
  /** @type {any[]} */
  const messages = [];
  worker.on('message', (message) => messages.push(message));
  const exited = new Promise((resolve) => worker.on('exit', resolve));
  return {
    worker,
    exited,
    /** Resolves to the thread's next message. */
    async said() {
      await until(() => messages.length > 0);
      return messages.shift();
    },
  };
}

/** @type {Record<string, () => unknown>} */
const cases = {
  async 'close while producers wait'() {
    const queue = create();
    queue.tryPushMany(rows(0, 4));
    const own = [code(queue.push({ number: 4 })), code(queue.reserve(2)), code(queue.drained())];
    const others = [thread(queue, 'push'), thread(queue, 'pushSync')];
    await until(() => queue.stats().waiting === 4);
    queue.close();
    say(await Promise.all([own[0], own[1], ...others.map(({ said }) => said())]));
    say(queue.popMany(9).length, await own[2], queue.stats().waiting);
  },
  async 'close while the consumer sleeps'() {
    const queue = create();
    const closer = thread(queue, 'close');
    let seen = 0;
    await queue.consume((batch) => {
      seen += batch.length;
    });
    await closer.exited;
    say('consumed', seen);
  },
  async 'close while a batch is in the handler'() {
    const queue = create();
    queue.tryPushMany(rows(0, 4));
    /** @type {number[]} */
    const seen = [];
    await queue.consume(
      async (batch) => {
        queue.close();
        await immediate();
        seen.push(...batch.map(({ number }) => number));
      },
      { batchSize: 3 },
    );
    say(seen);
  },
  async 'drained with a deadline that passes'() {
    const queue = create();
    queue.tryPush({ number: 1 });
    queue.close();
    say(await code(queue.drained({ timeoutMs: 5 })));
  },
  async 'drained when another thread has consumed everything'() {
    const queue = create({ capacity: 10_000 });
    queue.tryPushMany(rows(0, 10_000));
    const consumer = thread(queue, 'consume');
    queue.close();
    say(await code(queue.drained({ timeoutMs: 60_000 })), queue.depth, await consumer.said());
  },
  async 'asyncDispose waits for the consumer of another thread'() {
    const queue = create({ capacity: 10_000 });
    const consumer = thread(queue, 'consume');
    await until(() => nativeOf(queue).consumed() === 1);
    queue.tryPushMany(rows(0, 10_000));
    await queue[Symbol.asyncDispose]();
    say(await consumer.said(), await code(Promise.resolve().then(() => queue.depth)));
  },
  async 'asyncDispose does not wait for a consumer that dies, nor for itself'() {
    const queue = create();
    const sleeper = thread(queue, 'consume nothing');
    await sleeper.said();
    queue.tryPush({ number: 1 });
    const disposing = queue[Symbol.asyncDispose]();
    await sleeper.worker.terminate();
    await disposing;
    const own = create();
    own.tryPushMany(rows(0, 2));
    own.tryPop();
    await own[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
    say('disposed');
  },
  async 'dispose while everything is going on'() {
    const queue = create();
    queue.tryPushMany(rows(0, 4));
    const waits = [code(queue.push({ number: 5 })), code(queue.drained())];
    const consuming = queue.consume(() => new Promise(setImmediate), { batchSize: 1 });
    await immediate();
    queue[Symbol.dispose]();
    queue[Symbol.dispose]();
    await consuming;
    say((await Promise.all(waits)).at(-1));
  },
  async 'attach after close'() {
    const queue = create();
    queue.tryPushMany(rows(0, 3));
    queue.close();
    say(await thread(queue, 'consume').said(), await thread(queue, 'push').said());
  },
  async 'the creating thread ends before the others'() {
    const creator = thread(undefined, 'create');
    const queue = Queue.attach(Row, await creator.said());
    const other = thread(queue, 'pushSync');
    creator.worker.postMessage('end');
    await creator.exited;
    say(queue.popMany(9).length, await other.said());
    await other.exited;
    say(queue.tryPush({ number: 1 }), queue.popMany(9).length);
  },
  'the process ends with records, permits and a gathered batch inside'() {
    const queue = create();
    queue.tryPush({ number: 1 });
    queue.tryReserve(1);
    const batcher = queue.batcher({ max: 2 });
    say(queue.handle.sluice, batcher.push({ number: 2 }));
  },
  async 'process.exit() while threads sleep in every way'() {
    const queue = create();
    const consumed = create();
    queue.tryPushMany(rows(0, 4));
    for (const act of ['push', 'pushSync', 'reserve']) thread(queue, act);
    for (const act of ['consume', 'popSync']) thread(consumed, act);
    void code(queue.push({ number: 1 }));
    await until(() => queue.stats().waiting === 4 && nativeOf(consumed).consumed() === 1);
    say('exit');
    process.exit(0);
  },
  async 'process.exit() in a handler'() {
    const queue = create();
    queue.tryPushMany(rows(0, 4));
    await queue.consume(() => {
      say('exit');
      process.exit(0);
    });
  },
  'process.exit() in a visit'() {
    const queue = create();
    queue.tryPushMany(rows(0, 4));
    queue.drain(() => {
      say('exit');
      process.exit(0);
    });
  },
  'a queue without a consumer does not keep the process alive'() {
    const queue = create({ ttlMs: 1e6 });
    queue.on('closed', () => say('closed')).on('expired', () => say('expired'));
    queue.tryPush({ number: 1 });
    queue.tryPop();
    queue.popSync(0);
    say(queue.handle.sluice);
  },
  'a consumer that was unreferenced does not keep the process alive'() {
    const queue = create().unref();
    void queue.consume(() => {}).then(() => say('ended'));
    const late = create();
    void late.consume(() => {}).then(() => say('ended'));
    setImmediate(() => late.unref());
    say('asleep');
  },
  async 'a consumer that was referenced again, and a push that waits, keep it alive'() {
    const queue = create().unref();
    thread(queue, 'close later').worker.unref();
    await queue.ref().consume(() => {});
    const full = create({ capacity: 1 });
    full.tryPush({ number: 1 });
    thread(full, 'pop later').worker.unref();
    await full.push({ number: 2 });
    say('served');
  },
  async 'a thread that fails frees its lease and its permits'() {
    const queue = create();
    const failing = thread(queue, 'fail');
    failing.worker.on('error', (error) => say(error.message));
    await failing.exited;
    queue.tryPush({ number: 1 });
    say(queue.tryPop(), queue.stats().permits);
  },
  async 'many threads terminated at any moment'() {
    const queue = create({ capacity: 64, lanes: 2, ttlMs: 1e6, latency: true });
    const acts = ['push', 'pushSync', 'reserve', 'popSync', 'consume', 'churn', 'churn'];
    for (let round = 0; round < 6; round++) {
      const threads = acts.map((act) => thread(queue, act));
      await threads.at(-1)?.said();
      for (let turn = 0; turn < round * 7; turn++) await immediate();
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
      const { pushed, popped, expired, dropped, depth, waiting, permits } = queue.stats();
      if (waiting + permits !== 0 || popped + expired + dropped + depth !== pushed) say(queue.stats());
      queue.popMany(999);
    }
    queue.close();
    say(await code(queue.drained()), queue.depth);
  },
};

const act = cases[process.argv[2] ?? ''];
if (act === undefined) throw new Error(`no case ${process.argv[2]}`);
await act();
