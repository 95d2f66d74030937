/**
 * Gives native code false facts about a gate's limiter and queue, and prints ok if native code did not rely on them.
 */
import { Gate, Limiter, Queue, record, Stock, u32 } from 'sluice';
import { gateStaging } from '../../../dist/binding/contract.js';
import { native } from '../../../dist/binding/index.js';
import { insideQueue } from '../../../dist/queue/index.js';
import { nativeStock } from '../../../dist/stock/index.js';

const Order = record({ sku: u32 });

/**
 * Makes a gate without fields by calling native code directly, with memory of its own as staging. `answer` returns the
 * answer of its last admission.
 * @param {Stock} stock
 */
function nativeGate(stock) {
  const parts = {
    queue: insideQueue(Queue.create(Order, { capacity: 8 })).native,
    stock: nativeStock(stock),
  };
  const staging = new ArrayBuffer(gateStaging.bytes);
  const gate = native.createGate(/** @type {any} */ (parts), {}, 4, staging, 0);
  if (typeof gate !== 'object') throw new Error(gate);
  return { gate, staging, answer: () => new Int32Array(staging)[gateStaging.answer / 4] ?? 0 };
}
const isKeyed = /** @type {() => boolean} */ (
  Object.getOwnPropertyDescriptor(Limiter.prototype, 'keyed')?.get
);
/** @type {string[]} */
const wrong = [];

for (const keyed of [false, true]) {
  for (const when of ['before', 'after']) {
    const queue = Queue.create(Order, { capacity: 64 });
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 0.001, burst: 5 },
      ...(keyed ? { keys: { max: 100 } } : {}),
    });
    const lie = { configurable: true, get: () => !keyed };
    if (when === 'before') Object.defineProperty(Limiter.prototype, 'keyed', lie);
    const gate = Gate.create({ queue, limiter });
    Object.defineProperty(Limiter.prototype, 'keyed', lie);
    Reflect.set(gate, 'limiter', { keyed: !keyed });
    for (let i = 0; i < 20; i++) {
      for (const options of [keyed ? {} : { key: `k${i}` }, keyed ? undefined : { key: i }]) {
        try {
          gate.admit({ sku: 1 }, options);
          wrong.push(`keyed ${keyed}, ${when}: ${JSON.stringify(options)} was taken`);
        } catch (error) {
          if (!(error instanceof TypeError)) throw error;
        }
      }
    }
    if (gate.admit({ sku: 1 }, keyed ? { key: 1 } : undefined).outcome !== 'admitted')
      wrong.push(`keyed ${keyed}, ${when}: what is true was refused`);
    Object.defineProperty(Limiter.prototype, 'keyed', { configurable: true, get: isKeyed });
    if (limiter.stats().allowed !== 1)
      wrong.push(`keyed ${keyed}, ${when}: ${limiter.stats().allowed} allowed`);
  }
}

// A gate whose record has no sku takes only carts, even while Object.prototype has a sku.
const ledger = Stock.create({ items: [{ sku: 0, quantity: 9 }] });
const carts = Gate.create({ queue: Queue.create(Order, { capacity: 8 }), stock: ledger });
const before = nativeGate(ledger);
Object.defineProperty(Object.prototype, 'sku', {
  value: { type: 3, offset: 0, textRoom: 0 },
  configurable: true,
});
const after = Gate.attach(Order, carts.handle);
for (const gate of [carts, after]) {
  for (const options of [undefined, {}, { holdMs: 1000 }]) {
    try {
      gate.admit({ sku: 0 }, options);
      wrong.push('an order without a cart was taken');
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}
Reflect.deleteProperty(Object.prototype, 'sku');
ledger.reserveAll([{ sku: 0, quantity: 1 }]); // leaves its lines in the staging
for (const [hold, count] of [
  [0, 0],
  [NaN, 1],
  [-1, 1],
  [1e300, 1],
]) {
  before.gate.admitWith(hold, count);
  if (before.answer() >= 0) wrong.push(`native admitWith(${hold}, ${count}) was taken`);
}
before.gate.admit();
if (before.answer() >= 0) wrong.push('native admit() without a sku was taken');

// An order that was kept aside comes back with a key that the limiter cannot have, or with an endless hold.
for (const [key, hold, isSound] of /** @type {const} */ ([
  [1n, 0n, false],
  [0n, 2n ** 63n, false],
  [0n, 0n, true],
])) {
  new BigUint64Array(before.staging, gateStaging.aside, 4).set([2n ** 64n - 1n, hold, key, key]);
  if (Number(before.gate.pushAside()) > 0 !== isSound)
    wrong.push(`aside, key ${key}, hold ${hold}: not ${isSound}`);
}

const lanes = Queue.create(Order, { capacity: 8, lanes: 2 });
Object.defineProperty(lanes, 'lanes', { value: 1 });
try {
  Gate.create({ queue: lanes });
  wrong.push('a gate was made over two lanes');
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
}
for (const what of new Set(wrong)) console.log(what);
console.log(wrong.length === 0 ? 'ok' : 'not ok');
