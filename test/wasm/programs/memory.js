// Checks who keeps the memory of queues alive, and that it is given back.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** @param {boolean} holds @param {string} what */
function require(holds, what) {
  if (!holds) throw new Error(what);
}
/** Bytes of shared memory that are resident in this process. */
const shared = () =>
  1_024 * Number(/^RssShmem:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
/** @param {unknown} data @param {import('node:worker_threads').ResourceLimits} [resourceLimits] */
const thread = (data, resourceLimits = {}) =>
  new Worker(new URL(import.meta.url), { workerData: data, resourceLimits });

/** @type {Record<string, () => Promise<void>>} */
const checks = {
  /** Ten thousand queues, one after the other. */
  async cycles() {
    const { Queue, record, u32 } = await import('sluice');
    const Row = record({ number: u32 });
    const cycle = async (/** @type {number} */ count) => {
      for (let i = 0; i < count; i++) {
        const queue = Queue.create(Row, { capacity: 16 });
        require(queue.stats().path === 'wasm', 'each queue has a place');
        queue.tryPush({ number: i });
        require(queue.tryPop()?.number === i, 'the record comes back');
        queue[Symbol.dispose]();
        if (i % 50 === 0) await turn();
      }
    };
    await cycle(2_000);
    const before = shared();
    await cycle(10_000);
    const grown = shared() - before;
    require(grown < 64 * 2 ** 20, `ten thousand cycles took ${grown} bytes`);
  },

  /** So many queues at a time that the last ones find no place in the arena. */
  async many() {
    const { Queue, record, u32 } = await import('sluice');
    const Row = record({ number: u32 });
    const queues = Array.from({ length: 18_000 }, () => Queue.create(Row, { capacity: 16, maxWaiting: 0 }));
    for (const [i, queue] of queues.entries()) queue.tryPush({ number: i });
    const paths = new Set(queues.map((queue) => queue.stats().path));
    for (const [i, queue] of queues.entries()) require(queue.tryPop()?.number === i, `queue ${i}`);
    console.log([...paths].join());
  },

  /** Only workers load the package, and the creator's thread ends first. */
  async creator() {
    const creator = thread('creates');
    const [handle] = await once(creator, 'message');
    const user = thread({ handle });
    const [attached] = await once(user, 'message');
    require(attached === 'wasm', attached);
    await creator.terminate();
    user.postMessage('go on');
    const [answer] = await once(user, 'message');
    require(answer === 'went on', answer);
    await once(user, 'exit');
  },

  /** A handle is on its way while the thread that sent it ends: whoever attaches gets the queue, or a typed error. */
  async 'in flight'() {
    const { Queue, record, u32 } = await import('sluice');
    const Row = record({ number: u32 });
    const outcomes = new Set();
    for (let i = 0; i < 20; i++) {
      const creator = thread('creates');
      const [handle] = await once(creator, 'message');
      const ended = creator.terminate();
      if (i % 2 === 0) await ended;
      try {
        const queue = Queue.attach(Row, handle);
        queue.tryPush({ number: 1 });
        queue[Symbol.dispose]();
        outcomes.add('attached');
      } catch (error) {
        require(/** @type {any} */ (error).code === 'ERR_SLUICE_HANDLE', String(error));
        outcomes.add('gone');
      }
      await ended;
    }
    require(outcomes.has('gone'), 'an ended thread keeps no queue');
  },

  /** Threads that push until their heap is full. */
  async 'heap limit'() {
    const { Queue, record, u32 } = await import('sluice');
    const Row = record({ number: u32 });
    const queue = Queue.create(Row, { capacity: 64 });
    for (let i = 0; i < 6; i++) {
      const pusher = thread(
        { fills: queue.handle },
        { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
      );
      let ended = false;
      pusher.once('error', () => {});
      pusher.once('exit', () => {
        ended = true;
      });
      while (!ended) {
        queue.drain(() => {});
        await turn();
      }
    }
    const { depth } = queue;
    require(queue.popMany(64).length === depth, `of ${depth} records`);
    let fit = 0;
    while (queue.tryPush({ number: fit })) fit += 1;
    require(fit === 64, `only ${fit} fit in`);
  },
};

if (isMainThread) {
  await checks[process.argv[2] ?? '']?.();
  console.log('ok');
} else {
  const { Queue, record, u32 } = await import('sluice');
  const Row = record({ number: u32 });
  if (workerData === 'creates') {
    const queue = Queue.create(Row, { capacity: 16 });
    queue.tryPush({ number: 5 });
    parentPort?.postMessage(queue.handle);
    setInterval(() => queue.depth, 1_000);
  } else if (workerData.fills !== undefined) {
    const queue = Queue.attach(Row, workerData.fills);
    // V8 compiles the calls of WebAssembly functions when they have been called often. The V8 of Node.js 26 ends the
    // process if the heap is full just then.
    for (let i = 0; i < 20_000; i++) {
      queue.tryPush({ number: i });
      queue.tryPushMany([{ number: 1 }]);
      if (i % 1_000 === 0) await turn();
    }
    const kept = [];
    for (;;) {
      queue.tryPush({ number: kept.length });
      queue.tryPushMany([{ number: 1 }, { number: 2 }]);
      kept.push(new Array(100).fill(kept.length));
    }
  } else {
    const queue = Queue.attach(Row, workerData.handle);
    parentPort?.postMessage(queue.stats().path);
    parentPort?.once('message', () => {
      const number = queue.tryPop()?.number;
      queue.tryPush({ number: 6 });
      const went = number === 5 && queue.tryPop()?.number === 6;
      parentPort?.postMessage(went ? 'went on' : `got ${number}`);
    });
  }
}
