// two-copies.js <directory of the other copy> <story>
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import * as ours from 'sluice';

const [directory, story] = isMainThread ? process.argv.slice(2) : workerData.args;
const theirs = await import(pathToFileURL(`${directory}/dist/index.js`).href);
if (theirs.Queue === ours.Queue) throw new Error('this is no other copy');

/** Makes one object of each kind with one copy of the package. */
function objects(sluice) {
  const Row = sluice.record({ sku: sluice.u32, quantity: sluice.u32 });
  const clock = new sluice.ManualClock();
  const queue = sluice.Queue.create(Row, { capacity: 10, clock });
  const limiter = sluice.Limiter.create({ ...sluice.Limiter.flashSale, clock });
  const stock = sluice.Stock.create({ items: [{ sku: 1, quantity: 5 }], clock });
  const gate = sluice.Gate.create({ queue, limiter, stock, fields: { sku: 'sku', quantity: 'quantity' } });
  return { Row, clock, queue, limiter, stock, gate };
}

function code(act) {
  try {
    act();
  } catch (error) {
    if (!(error instanceof ours.SluiceError) || !(error instanceof theirs.SluiceError)) throw error;
    return error.code;
  }
  return 'no error';
}

function equal(actual, expected) {
  if (String(actual) !== String(expected)) throw new Error(`expected ${expected}, got ${actual}`);
}

function attachAll(sluice, { Row, clock, queue, limiter, stock, gate }) {
  return [
    code(() => sluice.Queue.attach(Row, queue.handle)),
    code(() => sluice.Limiter.attach(limiter.handle)),
    code(() => sluice.Stock.attach(stock.handle)),
    code(() => sluice.Gate.attach(Row, gate.handle)),
    code(() => sluice.ManualClock.attach(clock.handle)),
  ];
}

/** @type {Record<string, () => unknown>} */
const stories = {
  'each work by themselves'() {
    const [mine, other] = [objects(ours), objects(theirs)];
    for (let i = 0; i < 3; i++) mine.gate.admit({ sku: 1, quantity: 1 });
    other.gate.admit({ sku: 1, quantity: 1 });
    equal(
      [mine.queue.depth, other.queue.depth, mine.stock.counts(1).reserved, other.stock.counts(1).reserved],
      [3, 1, 3, 1],
    );
    equal([mine.limiter.stats().allowed, other.limiter.stats().allowed], [3, 1]);
    equal(attachAll(ours, mine), Array(5).fill('no error'));
    equal(attachAll(theirs, other), Array(5).fill('no error'));
  },

  'do not take the handles of the other for their own'() {
    // Both copies count from one: the numbers of the handles are the same, their tokens are not.
    const [mine, other] = [objects(ours), objects(theirs)];
    equal([mine.queue.handle.id, mine.gate.handle.id], [other.queue.handle.id, other.gate.handle.id]);
    equal(attachAll(ours, { ...other, Row: mine.Row }), Array(5).fill('ERR_SLUICE_HANDLE'));
    equal(attachAll(theirs, { ...mine, Row: other.Row }), Array(5).fill('ERR_SLUICE_HANDLE'));
    equal([mine.queue.tryPush({ sku: 1, quantity: 1 }), other.queue.depth], [true, 0]);
  },

  'do not take the objects of the other for their own'() {
    const other = objects(theirs);
    const mine = objects(ours);
    const fields = { sku: 'sku', quantity: 'quantity' };
    const queue = ours.Queue.create(mine.Row, { capacity: 1 });
    equal(
      [
        code(() => ours.Queue.create(other.Row, { capacity: 1 })),
        code(() => ours.Queue.attach(other.Row, mine.queue.handle)),
        code(() => ours.Queue.create(mine.Row, { capacity: 1, clock: other.clock })),
        code(() => ours.Limiter.create({ queueDepth: { max: 1, queue: other.queue } })),
        code(() => ours.Gate.create({ queue: other.queue })),
        code(() => ours.Gate.create({ queue, limiter: other.limiter })),
        code(() => ours.Gate.create({ queue, stock: other.stock, fields })),
      ],
      Array(7).fill('ERR_SLUICE_OPTION'),
    );
    try {
      ours.Gate.create({ queue: other.queue });
    } catch ({ message }) {
      equal(message, 'Gate.create: queue: expected a Queue, got a Queue of another copy of sluice');
    }
  },

  'know the errors of the other'() {
    const { queue } = objects(theirs);
    queue.close();
    equal(
      [
        code(() => queue.tryPush({ sku: 1, quantity: 1 })),
        code(() => queue.tryPush({})),
        code(() => queue.popMany(0)),
      ],
      ['ERR_SLUICE_CLOSED', 'ERR_SLUICE_FIELD', 'ERR_SLUICE_OPTION'],
    );
  },

  async 'work side by side in a worker'() {
    if (isMainThread) {
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(new URL(import.meta.url), { workerData: { args: [directory, story] } });
        equal((await once(worker, 'exit'))[0], 0);
      }
      return;
    }
    for (const sluice of [ours, theirs]) {
      const { queue } = objects(sluice);
      setImmediate(() => queue.tryPush({ sku: 1, quantity: 1 }));
      for await (const _ of queue) break;
    }
  },
};

await stories[story]();
if (isMainThread) console.log('ok');
