/**
 * Calls native functions at random, with arguments of many kinds, over memory of random bytes, and prints ok at the
 * end.
 */

import { Limiter, Queue, record, Stock, u32, utf8 } from 'sluice';
import { gateStaging, limiterStaging, queueStaging, stockStaging } from '../../../dist/binding/contract.js';
import { figuresOf, native, queueFigures } from '../../../dist/binding/index.js';
import { nativeLimiter } from '../../../dist/limiter/index.js';
import { insideQueue } from '../../../dist/queue/index.js';
import { nativeStock } from '../../../dist/stock/index.js';

let seed = Number(process.argv[2]);
const random = (/** @type {number} */ n) => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
  return (seed >>> 8) % n;
};
const Order = record({ sku: u32, note: utf8(50) });
const memory = (/** @type {number} */ bytes) => new ArrayBuffer(bytes);

/** @type {Array<{ native: any, buffers: ArrayBuffer[] }>} */
const all = [];
const attached = (/** @type {any} */ made, /** @type {ArrayBuffer[]} */ ...buffers) => {
  if (typeof made !== 'object') throw new Error(String(made));
  all.push({ native: made, buffers });
  return made;
};
const queues = [
  Queue.create(Order, { capacity: 8, lanes: 1, ttlMs: 5, maxWaiting: 3, latency: true }),
  Queue.create(Order, { capacity: 8, lanes: 3, maxWaiting: 3, overflow: 'drop-oldest' }),
];
const limiters = [
  Limiter.create({ queueDepth: { max: 4 }, maxWaiting: 3 }),
  Limiter.create({
    slidingWindow: [
      { limit: 5, windowMs: 1000 },
      { limit: 9, windowMs: 5000, exact: true },
    ],
    queueDepth: { max: 4 },
    keys: { max: 9 },
    maxWaiting: 3,
  }),
];
const stock = Stock.create({
  items: [{ sku: 1, quantity: 50 }],
  maxItems: 6,
  maxReservations: 16,
  maxUsers: 16,
  maxIds: 16,
  movements: 8,
});
for (const queue of queues) {
  const staging = memory(native.stagingBytes(Order.bytes));
  const inside = insideQueue(queue).native;
  attached(native.attachQueue(inside.handle, Order.schema, staging), staging);
}
for (const limiter of limiters) {
  const out = memory(limiterStaging.bytes);
  attached(native.attachLimiter(nativeLimiter(limiter).handle, out), out);
}
{
  const words = memory(stockStaging.bytes);
  attached(native.attachStock(nativeStock(stock).handle, words), words);
}
{
  const words = memory(gateStaging.bytes);
  const parts = { queue: all[0]?.native, limiter: all[2]?.native, stock: all[4]?.native };
  const fields = { sku: { type: 3, offset: Order.offsetOf('sku') ?? 0 }, quantity: { type: 1, offset: 5 } };
  attached(native.createGate(parts, fields, 4, words), words);
  for (const [type, offset] of [
    [3, 5000],
    [9, 0],
    [5, Order.bytes - 4],
  ]) {
    const made = native.createGate(
      { queue: all[1]?.native },
      { id: { type, offset } },
      4,
      memory(gateStaging.bytes),
    );
    if (made !== 'bad-staging') throw new Error(`${type} ${offset}: ${made}`);
  }
  const lanes = native.createGate({ queue: all[1]?.native }, {}, 4, memory(gateStaging.bytes), 0);
  if (lanes !== 'bad-range') throw new Error(`a gate of three lanes: ${lanes}`);
}
// No object can resolve a waiter of another object, or retire a waiter that still waits.
{
  const full = Queue.create(Order, { capacity: 1, maxWaiting: 2 });
  full.tryPush({ sku: 1, note: '' });
  const inside = insideQueue(full).native;
  const waiter = inside.waitReserve(0, 1);
  const staging = memory(native.stagingBytes(Order.bytes));
  const other = attached(native.attachQueue(inside.handle, Order.schema, staging));
  const asked = () => [
    other.waiterState(waiter),
    other.leave(waiter),
    other.retire(waiter),
    inside.retire(7),
  ];
  if (asked().some((answer) => !(answer < 0)))
    throw new Error('it answered about the place of another object');
  if (!(Number(inside.retire(waiter)) < 0)) throw new Error('a waiter was retired');
  full.tryPop();
  if (asked().some((answer) => !(answer < 0)))
    throw new Error('it answered about the served place of another object');
  inside.retire(.../** @type {[number]} */ ([waiter, 0, 1000]));
  if (full.stats().permits !== 1) throw new Error('not one permit');
  full[Symbol.dispose]();
  other.stats();
  const { permits, depth } = figuresOf(
    queueFigures,
    new Float64Array(staging, 0, queueStaging.bytes / 8),
    queueStaging.figures,
  );
  if (permits !== 0 || depth !== 0) throw new Error('permits were forged');
}
// Gates are given a key although the limiter has no keys, and no key although the limiter has keys.
for (const i of [2, 3]) {
  const parts = { queue: insideQueue(Queue.create(Order, { capacity: 8 })).native, limiter: all[i]?.native };
  const staging = memory(gateStaging.bytes);
  const gate = attached(native.createGate(parts, {}, 4, staging, 0));
  const calls =
    i === 2 ? [() => gate.admitWith(0, 0, 'k')] : [() => gate.admit(), () => gate.admitWith(0, 0)];
  for (const call of calls) {
    call();
    const answer = new Int32Array(staging)[gateStaging.answer / 4] ?? 0;
    if (!(answer < 0) || limiters[i - 2]?.stats().allowed !== 0)
      throw new Error(`limiter ${i - 2}: a gate was answered ${answer}`);
  }
}
// Memory that is one byte shorter than what native code writes is refused.
{
  const exact = native.stagingBytes(Order.bytes);
  const queueHandle = all[0]?.native.handle;
  for (const short of [0, 1]) {
    const made = native.attachQueue(queueHandle, Order.schema, memory(exact - short));
    if ((typeof made === 'object') !== (short === 0)) throw new Error(`${short} too short: ${made}`);
  }
  const gateParts = { queue: insideQueue(Queue.create(Order, { capacity: 8 })).native };
  const answers = [
    native.attachLimiter(all[2]?.native.handle, memory(limiterStaging.bytes - 1)),
    native.attachStock(all[4]?.native.handle, memory(stockStaging.bytes - 1)),
    native.createGate(gateParts, {}, 4, memory(gateStaging.bytes - 1), 0),
  ];
  if (answers.some((answer) => answer !== 'bad-staging')) throw new Error(`too short: ${answers}`);
}
// Staging that is too small or missing is refused.
for (const staging of [{}, memory(1), null, 7]) {
  const made = native.attachQueue(all[0]?.native.handle, Order.schema, /** @type {any} */ (staging));
  if (typeof made !== 'string') throw new Error('a queue without staging');
}
for (const buffer of [memory(8), undefined]) {
  const given = /** @type {any} */ (buffer);
  if (typeof native.attachStock(all[4]?.native.handle, given) !== 'string')
    throw new Error('a stock without staging');
  if (typeof native.attachLimiter(all[2]?.native.handle, given) !== 'string')
    throw new Error('a limiter without staging');
}

const numbers = [
  0,
  1,
  2,
  3,
  4,
  5,
  7,
  8,
  63,
  64,
  65,
  255,
  5000,
  16_383,
  16_384,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  1e18,
  -1,
  -5000,
  0.5,
  NaN,
  Infinity,
  -Infinity,
];
const others = [
  undefined,
  null,
  '',
  'x'.repeat(200),
  1n,
  -(2n ** 5000n),
  {},
  [],
  memory(0),
  memory(9),
  memory(100),
  () => {},
  new Uint8Array(9),
];
const waits = new Set([
  'awaitServed',
  'awaitRecord',
  'spin',
  'dispose',
  'close',
  'onServed',
  'onArrival',
  'park',
]);
const noise = (/** @type {ArrayBuffer} */ buffer) => {
  const words = new BigUint64Array(buffer, 0, buffer.byteLength >> 3);
  for (let i = 0; i < words.length; i++) {
    const kind = random(4);
    words[i] =
      kind === 0
        ? BigInt(random(70))
        : kind === 1
          ? 2n ** 64n - BigInt(1 + random(9000))
          : kind === 2
            ? BigInt(random(9000))
            : 0n;
  }
};
const names = ['ratePerSecond', 'burst', 'warmUpMs', 'max', 'enforce', 'limit', 'windowMs'];
/** Returns figures for configure(): NaN, which leaves a figure unchanged, or any number. */
const changes = () => {
  const one = () => (random(3) === 0 ? numbers[random(numbers.length)] : NaN);
  const figures = () => Object.fromEntries(names.map((name) => [name, one()]));
  return { ...figures(), windows: [figures(), figures()] };
};
/** Batches: memory from which native code reads a count. */
const batches = [memory(8 + 4 * Order.bytes), memory(8 + 64 * Order.bytes)];
for (let round = 0; round < 6_000; round++) {
  const { native: object, buffers } = /** @type {(typeof all)[number]} */ (all[random(all.length)]);
  const functions = Object.keys(object).filter(
    (name) => typeof object[name] === 'function' && !waits.has(name),
  );
  const name = /** @type {string} */ (functions[random(functions.length)]);
  if (random(8) === 0) for (const buffer of buffers.concat(batches)) noise(buffer);
  const given = Array.from({ length: random(5) }, () =>
    random(5) === 0 ? others[random(others.length)] : numbers[random(random(2) === 0 ? 6 : numbers.length)],
  );
  if (name === 'openBatch') given[0] = batches[random(2)];
  if (name === 'release' && random(2) === 0) given[0] = 5000;
  if (name === 'configure') given[0] = changes();
  try {
    object[name](...given);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
  }
}

// Only the object that has made a waiter can ask about it.
const out = memory(limiterStaging.bytes);
const shared = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 1 } });
const one = nativeLimiter(shared);
const other = attached(native.attachLimiter(one.handle, out), out);
one.allow(1);
new Float64Array(out)[3] = Infinity; // the waiter's timeout
const waiter = other.acquire(1) - 128;
const waiting = () => shared.stats().waiting;
one.leave(waiter);
if (one.tend(waiter) !== -101 || waiting() !== 1) throw new Error("another's place in line was taken");
other.leave(waiter);
if (waiting() !== 0) throw new Error('a place in line was not given up');

// Whatever time it is asked for, a call sleeps only for a moment, because terminate() waits for its end.
const sleeper = insideQueue(Queue.create(Order, { capacity: 1 })).native;
sleeper.awaitServed(0xffff_ffff);
sleeper.awaitRecord(0xffff_ffff);

for (const { native: object } of all) for (const name of waits) if (name !== 'dispose') object[name]?.(0, 0);
for (const { native: object } of all) {
  object.dispose();
  for (const name of Object.keys(object)) if (typeof object[name] === 'function') object[name](1, 1, 1);
}
console.log('ok');
process.exit(0);
