/** Says of a gate's limiter and queue what is not true, and says ok if native code has done nothing of it. */
import { Gate, Limiter, Queue, record, u32 } from 'sluice';

const Order = record({ sku: u32 });
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
