/** Makes queues, limiters, a stock, a gate and a manual clock, and a type of record for them. */
import { bytes, Gate, json, Limiter, ManualClock, Queue, record, Stock, u8, u32, u53, utf8 } from 'sluice';

export function objects() {
  const Order = record({
    sku: u32,
    quantity: u8,
    user: u53,
    note: utf8(80),
    seal: bytes(9),
    more: json({ maxBytes: 80 }),
  });
  const order = (user = 1) => ({
    sku: 1,
    quantity: 1,
    user,
    note: 'é'.repeat(30),
    seal: new Uint8Array(9),
    more: { user },
  });
  const queue = Queue.create(Order, { capacity: 8, lanes: 1, ttlMs: Infinity, maxWaiting: 4 });
  const plain = Queue.create(Order, { capacity: 8, lanes: 2, maxWaiting: 4 });
  const limiter = Limiter.create({
    tokenBucket: { ratePerSecond: 1e6, burst: 1000 },
    queueDepth: { max: 9 },
  });
  const keyed = Limiter.create({
    slidingWindow: { limit: 100, windowMs: 1000 },
    queueDepth: { max: 9 },
    keys: { max: 100 },
  });
  const windows = Limiter.create({
    slidingWindow: [
      { limit: 100, windowMs: 1000 },
      { limit: 200, windowMs: 60_000, exact: true },
    ],
  });
  const stock = Stock.create({
    items: [
      { sku: 1, quantity: 100, perUser: 50 },
      { sku: 'mug', quantity: 9 },
    ],
    maxReservations: 64,
    maxUsers: 64,
    maxIds: 64,
    movements: 64,
  });
  const gate = Gate.create({
    queue,
    limiter,
    stock,
    fields: { sku: 'sku', quantity: 'quantity', user: 'user' },
  });
  const clock = new ManualClock();
  return { Order, order, queue, plain, limiter, keyed, windows, stock, gate, clock };
}

/** Names of functions. Each native object has at least one of them, as an own property. */
const nativeNames = ['pushTo', 'openBatch', 'tryAcquire', 'allow', 'admitWith', 'addItem', 'reserve'];
/** @param {unknown} value */
export function isNative(value) {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  if (!isObject) return false;
  const names = Reflect.ownKeys(value);
  return nativeNames.some((name) => {
    if (!names.includes(name)) return false;
    const { value: member } = Reflect.getOwnPropertyDescriptor(value, name) ?? {};
    return typeof member === 'function' && Function.prototype.toString.call(member).includes('[native code]');
  });
}
