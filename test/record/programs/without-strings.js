/** Uses records, with a worker, in a process in which no code may be generated from strings. Prints ok. */
import { deepStrictEqual, throws } from 'node:assert/strict';
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  bool,
  bytes,
  f64,
  Gate,
  i32,
  json,
  Limiter,
  oneOf,
  Queue,
  record,
  Stock,
  u16,
  u32,
  u53,
  u64,
  utf8,
} from 'sluice';

throws(() => new Function('return 1'), EvalError);

const Row = record({
  number: u53,
  large: u64,
  small: i32,
  share: f64,
  paid: bool,
  note: utf8(40),
  seal: bytes(8),
  more: json({ maxBytes: 60 }),
  size: oneOf('S', 'M', 'L'),
});
const Order = record({ id: utf8(20), user: utf8(60), sku: utf8(60), quantity: u16 });

/** @param {number} number */
function row(number) {
  return {
    number,
    large: 2n ** 63n + BigInt(number),
    small: 50 - number,
    share: number / 3,
    paid: number % 2 === 0,
    note: `für Łukasz ${number} 🎁`,
    seal: Uint8Array.of(1, 2, number),
    more: { number, list: [1, 'two', null] },
    size: /** @type {const} */ (['S', 'M', 'L'])[number % 3],
  };
}

if (isMainThread) await main();
else {
  const queue = Queue.attach(Row, workerData);
  for (let n = 0; n < 100; n++) queue.tryPush(row(n));
  parentPort?.postMessage('pushed');
}

async function main() {
  const queue = Queue.create(Row, { capacity: 256 });
  const worker = new Worker(new URL(import.meta.url), { workerData: queue.handle });
  // Both may be emitted in one turn, with no microtask between them. So the program listens to both from the start.
  await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  deepStrictEqual(queue.tryPushMany([100, 101].map(row)), 2);
  const batcher = queue.batcher();
  batcher.push(row(102));
  batcher.flush();
  queue.tryReserve(1)?.send(row(103));
  await queue.push(row(104));
  /** @type {unknown[]} */
  const seen = [];
  queue.drain((view) => {
    deepStrictEqual({ ...view }, view.toObject());
    seen.push(view.toObject());
  });
  deepStrictEqual(
    seen,
    Array.from({ length: 105 }, (_, n) => row(n)),
  );
  throws(() => queue.tryPush({ ...row(1), note: '\ud800' }), {
    name: 'RangeError',
    code: 'ERR_SLUICE_FIELD',
    field: 'note',
  });
  throws(() => queue.tryPushMany([row(1), { ...row(1), small: 0.5 }]), { field: 'small', index: 1 });

  const orders = Queue.create(Order, { capacity: 16 });
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 2 } });
  const stock = Stock.create({ items: [{ sku: 'mug', quantity: 9, perUser: 1 }] });
  const fields = /** @type {const} */ ({ id: 'id', user: 'user', sku: 'sku', quantity: 'quantity' });
  const gate = Gate.create({ queue: orders, limiter, stock, fields });
  const admit = (/** @type {string} */ id) =>
    gate.admit({ id, user: `é${id}`, sku: 'mug', quantity: 1 }, { holdMs: 60_000 }).outcome;
  deepStrictEqual(['a', 'b', 'c'].map(admit), ['admitted', 'admitted', 'rate-limited']);
  orders.close();
  /** @type {string[]} */
  const handled = [];
  await gate.consume((order) => {
    handled.push(`${order.id} of ${order.user}`);
  });
  deepStrictEqual(handled, ['a of éa', 'b of éb']);
  deepStrictEqual(stock.audit(), { items: 1, held: 0 });

  const Number32 = record({ value: u32 });
  const overwriting = Queue.create(Number32, { capacity: 2, overflow: 'overwrite' });
  for (const value of [1, 2, 3]) overwriting.tryPush({ value });
  deepStrictEqual(overwriting.popMany(3), [{ value: 2 }, { value: 3 }]);
  console.log('ok');
}
