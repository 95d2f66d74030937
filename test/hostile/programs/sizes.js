/** Makes objects with invalid sizes and times, through sluice and natively, and prints ok if each is refused. */

import { bytes, Gate, Limiter, ManualClock, Queue, record, Stock, u32, utf8 } from 'sluice';
import { gateStaging, limiterStaging } from '../../../dist/binding/contract.js';
import { native } from '../../../dist/binding/index.js';
import { nativeLimiter } from '../../../dist/limiter/index.js';
import { insideQueue } from '../../../dist/queue/index.js';

const { isInteger, isSafeInteger } = Number;
const bad = [NaN, -1, 2 ** 53, 1e300, Infinity];
/** @type {string[]} */
const taken = [];

// A program can replace these functions, so no check may rely on them.
Number.isInteger = () => true;
Number.isSafeInteger = () => true;
const Order = record({ sku: u32 });
const queue = Queue.create(Order, { capacity: 4 });
const bucket = { ratePerSecond: 1, burst: 1 };
const items = [{ sku: 1, quantity: 1 }];
/** @type {Record<string, (size: number) => unknown>} */
const makers = {
  capacity: (capacity) => Queue.create(Order, { capacity }),
  lanes: (lanes) => Queue.create(Order, { capacity: 4, lanes }),
  weights: (weight) => Queue.create(Order, { capacity: 4, lanes: 2, weights: [1, weight] }),
  maxWaiting: (maxWaiting) => Queue.create(Order, { capacity: 4, maxWaiting }),
  bytes: (max) => record({ seal: bytes(max) }),
  utf8: (max) => record({ name: utf8(max) }),
  burst: (burst) => Limiter.create({ tokenBucket: { ratePerSecond: 1, burst } }),
  limit: (limit) => Limiter.create({ slidingWindow: { limit, windowMs: 1000 } }),
  log: (limit) => Limiter.create({ slidingWindow: { limit, windowMs: 1000, exact: true } }),
  buckets: (buckets) => Limiter.create({ slidingWindow: { limit: 1, windowMs: 1000, buckets } }),
  keys: (max) => Limiter.create({ tokenBucket: bucket, keys: { max } }),
  line: (maxWaiting) => Limiter.create({ tokenBucket: bucket, maxWaiting }),
  maxReservations: (maxReservations) => Stock.create({ items, maxReservations }),
  maxUsers: (maxUsers) => Stock.create({ items, maxUsers }),
  maxIds: (maxIds) => Stock.create({ items, maxIds }),
  maxItems: (maxItems) => Stock.create({ items, maxItems }),
  movements: (movements) => Stock.create({ items, movements }),
  shards: (shards) => Stock.create({ items: [{ sku: 1, quantity: 1, shards }] }),
  maxInHand: (maxInHand) => Gate.create({ queue, maxInHand }),
  popMany: (max) => queue.popMany(max),
};
for (const [name, make] of Object.entries(makers)) {
  for (const size of bad) {
    try {
      make(size);
      taken.push(`${name} ${size}`);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    }
  }
}
Number.isInteger = isInteger;
Number.isSafeInteger = isSafeInteger;

// Native code checks sizes itself, without the functions replaced above.
const memory = (/** @type {number} */ size) => new ArrayBuffer(size);
const staging = memory(native.stagingBytes(Order.bytes));
const queueOptions = {
  capacity: 4,
  recordBytes: Order.bytes,
  schema: Order.schema,
  start: 0,
  lanes: 2,
  weights: [1, 1],
  maxWaiting: 4,
  overflow: 0,
};
const limiterOptions = {
  tokenBucket: { ratePerSecond: 1, burst: 1, warmUpMs: 0 },
  windows: [{ limit: 1, windowMs: 1000, buckets: 2, exact: 0 }],
  queueDepth: { max: 1 },
  keysMax: 4,
  maxWaiting: 4,
  enforce: 1,
};
const stockOptions = {
  maxItems: 4,
  maxReservations: 4,
  maxUsers: 4,
  maxIds: 4,
  movements: 4,
  holdMs: 1000,
};
/**
 * @param {Record<string, any>} options
 * @param {(options: object) => unknown} make
 * @param {readonly string[]} numbers
 */
function refuses(options, make, numbers) {
  const whole = make(options);
  if (typeof whole !== 'object') taken.push(`refused: ${whole}`);
  for (const path of numbers) {
    for (const size of bad) {
      const changed = structuredClone(options);
      const names = path.split('.');
      const last = /** @type {string} */ (names.pop());
      names.reduce((object, name) => object[name], changed)[last] = size;
      if (make(changed) !== 'bad-range') taken.push(`native ${path} ${size}`);
    }
  }
}
refuses(queueOptions, (options) => native.createQueue(options, staging), [
  'capacity',
  'recordBytes',
  'lanes',
  'weights.1',
  'maxWaiting',
  'overflow',
]);
refuses(limiterOptions, (options) => native.createLimiter(options, memory(limiterStaging.bytes)), [
  'tokenBucket.ratePerSecond',
  'tokenBucket.burst',
  'tokenBucket.warmUpMs',
  'windows.0.limit',
  'windows.0.windowMs',
  'windows.0.buckets',
  'queueDepth.max',
  'keysMax',
  'maxWaiting',
]);
const kinds = [1, 0];
const calendar = {
  limit: 1,
  timeZone: 'UTC',
  zone: [-9e12, 0],
  get every() {
    return kinds.shift();
  },
};
if (
  native.createLimiter({ ...limiterOptions, windows: [calendar] }, memory(limiterStaging.bytes)) !==
  'bad-range'
) {
  taken.push('a window that is of one kind, then of another');
}
for (const start of [NaN, -1, 1e18 + 1e6, 1e300, Infinity]) {
  if (native.createClock(start) !== 'bad-range') taken.push(`a clock that begins at ${start}`);
}
const late = native.createClock(1e18);
if (typeof late !== 'object') throw new Error(late);
for (const by of [NaN, -1, 1e300]) if (late.advance(by) !== 1.1e18) taken.push(`a clock set on by ${by}`);
const watching = { queue: insideQueue(queue).native.handle, maxQueueWaitMs: 5 };
refuses(
  { ...limiterOptions, adaptive: { maxEventLoopDelayMs: 100, intervalMs: 500, ...watching } },
  (options) => native.createLimiter(options, memory(limiterStaging.bytes)),
  ['adaptive.maxEventLoopDelayMs', 'adaptive.intervalMs', 'adaptive.maxQueueWaitMs'],
);
refuses(stockOptions, (options) => native.createStock(options, memory(8192)), [
  'maxItems',
  'maxReservations',
  'maxUsers',
  'maxIds',
  'movements',
  'holdMs',
]);
const snapshot = Stock.create({ items }).snapshot();
refuses(
  { maxItems: 4, maxReservations: 4, maxUsers: 4, maxIds: 4, movements: 4 },
  (options) => native.restoreStock(snapshot, options, memory(8192)),
  ['maxItems', 'maxReservations', 'maxUsers', 'maxIds', 'movements'],
);

// Native code refuses every change with an invalid figure, whatever the other figures are.
const limiter = Limiter.create({
  tokenBucket: bucket,
  slidingWindow: [
    { limit: 1, windowMs: 1000 },
    { limit: 5, windowMs: 1000, exact: true },
  ],
  queueDepth: { max: 1 },
});
const same = { ratePerSecond: NaN, burst: NaN, warmUpMs: NaN, max: NaN, enforce: NaN };
const windows = [
  { limit: NaN, windowMs: NaN },
  { limit: NaN, windowMs: NaN },
];
const figures = JSON.stringify(limiter.limits());
for (const size of [-1, 1e-9, 2 ** 53, 1e300, Infinity]) {
  const wrong = Object.keys(same).map((name) => ({ ...same, windows, [name]: size }));
  for (const name of ['limit', 'windowMs']) {
    const window = { limit: NaN, windowMs: NaN, [name]: size };
    wrong.push({ ...same, windows: [window, windows[1]] }, { ...same, windows: [windows[0], window] });
  }
  for (const changes of wrong) {
    const { enforce, warmUpMs } = changes;
    if (!Number.isNaN(enforce) || warmUpMs === 1e-9) continue; // sound
    const answer = nativeLimiter(limiter).configure(changes);
    if (answer !== -101 || JSON.stringify(limiter.limits()) !== figures)
      taken.push(`configure ${JSON.stringify(changes)}: ${answer}`);
  }
}
const beyond = { ...same, windows: [windows[0], { limit: 6, windowMs: NaN }] };
if (nativeLimiter(limiter).configure(beyond) !== -101) taken.push('configure: more than a log has room for');

// A property that every object inherits is not taken for a size.
const clock = new ManualClock(); // on a manual clock, equal ledgers have equal snapshots
const usual = Stock.restore(snapshot, { clock }).snapshot();
for (const name of ['maxItems', 'maxReservations', 'maxUsers', 'maxIds', 'movements']) {
  Object.defineProperty(Object.prototype, name, { value: 1, configurable: true, enumerable: true });
  const restored = Stock.restore(snapshot, { clock }).snapshot();
  Reflect.deleteProperty(Object.prototype, name);
  if (Buffer.compare(restored, usual) !== 0) taken.push(`inherited ${name}`);
}

const parts = { queue: insideQueue(queue).native };
refuses(
  { maxInHand: 4 },
  (options) =>
    native.createGate(
      /** @type {any} */ (parts),
      {},
      /** @type {{ maxInHand: number }} */ (options).maxInHand,
      memory(gateStaging.bytes),
      0,
    ),
  ['maxInHand'],
);

for (const what of taken) console.log(what);
console.log(taken.length === 0 ? 'ok' : 'not ok');
