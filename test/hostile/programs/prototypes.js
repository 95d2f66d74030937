/**
 * Tests native functions with accessors, in one of three modes, and prints ok if it finds no fault. `setters` and
 * `getters` put accessors into Object.prototype and Array.prototype, and native code must call none of them. The
 * setters are for all properties of native functions' answers; each disposes of the object that is answering. The
 * getters are for all properties that native functions read; they look for native objects. `own` gives native functions
 * options that have getters themselves, as a replaced built-in can. Native code calls these, and must not use what they
 * take away.
 */
import { Gate, Limiter, ManualClock, Queue, record, Stock, u32 } from 'sluice';
import { gateStaging, stockStaging } from '../../../dist/binding/contract.js';
import { native } from '../../../dist/binding/index.js';
import { nativeLimiter } from '../../../dist/limiter/index.js';
import { insideQueue } from '../../../dist/queue/index.js';
import { nativeStock } from '../../../dist/stock/index.js';
import { isNative } from './objects.js';

const Order = record({ sku: u32, quantity: u32, user: u32 });
const limits = {
  tokenBucket: { ratePerSecond: 10, burst: 5 },
  slidingWindow: { limit: 5, windowMs: 1000 },
  queueDepth: { max: 4 },
};
const stockOptions = {
  items: [{ sku: 1, quantity: 9, backorder: 2 }],
  maxUsers: 16,
  maxIds: 16,
  movements: 8,
};

function shop() {
  const queue = Queue.create(Order, { capacity: 8 });
  const limiter = Limiter.create(limits);
  const stock = Stock.create(stockOptions);
  const order = { sku: 1, quantity: 1, user: 7, id: 5 };
  stock.reserve(order);
  stock.reserve({ ...order, user: 'ann', id: 'five' });
  const nativeQueue = insideQueue(queue).native;
  return { queue, limiter, stock, nativeQueue, nativeLedger: nativeStock(stock) };
}

/**
 * A call of a native function whose memory is prepared, and a function that disposes of its object.
 * @typedef {{ call: () => unknown, dispose: () => void }} Answer
 * @type {Record<string, () => Answer>}
 */
const answers = {};
/** @param {string} name @param {(shop: ReturnType<typeof shop>) => () => unknown} prepare */
const ofStock = (name, prepare) => {
  answers[name] = () => {
    const made = shop();
    return { call: prepare(made), dispose: () => made.stock[Symbol.dispose]() };
  };
};
ofStock('stock.find', ({ stock, nativeLedger }) => {
  stock.find({ id: 5 });
  return () => nativeLedger.findReservation(1);
});
ofStock('stock.find, by text', ({ stock, nativeLedger }) => {
  stock.find({ id: 'five' });
  return () => nativeLedger.findReservation(1);
});
ofStock('stock.reservations', ({ stock, nativeLedger }) => {
  for (const _ of stock.reservations()) break;
  return () => nativeLedger.listReservations(0, 0xff);
});
ofStock(
  'stock.counts',
  ({ stock }) =>
    () =>
      stock.counts(1),
);
ofStock(
  'stock.audit',
  ({ stock }) =>
    () =>
      stock.audit(),
);
ofStock(
  'stock.stats',
  ({ stock }) =>
    () =>
      stock.stats(),
);
ofStock('stock.movements', ({ nativeLedger }) => {
  const last = nativeLedger.endOfMovements() - 1;
  return () => nativeLedger.readMovement(last);
});
answers['queue.stats'] = () => {
  const { queue } = shop();
  return { call: () => queue.stats(), dispose: () => queue[Symbol.dispose]() };
};
for (const name of /** @type {const} */ (['stats', 'limits'])) {
  answers[`limiter.${name}`] = () => {
    const { limiter } = shop();
    return { call: () => limiter[name](), dispose: () => limiter[Symbol.dispose]() };
  };
}
const nativeGate = () => {
  const { nativeQueue, nativeLedger, limiter } = shop();
  const parts = { queue: nativeQueue, limiter: nativeLimiter(limiter), stock: nativeLedger };
  const fields = {
    sku: { type: 3, offset: 0 },
    quantity: { type: 3, offset: 4 },
    user: { type: 3, offset: 8 },
  };
  const gate = native.createGate(parts, fields, 4, new ArrayBuffer(gateStaging.bytes), 0);
  if (typeof gate !== 'object') throw new Error(gate);
  return gate;
};
answers['gate.stats'] = () => {
  const gate = Gate.create({ queue: shop().queue });
  return { call: () => gate.stats(), dispose: () => gate[Symbol.dispose]() };
};
answers['gateParts'] = () => {
  const gate = nativeGate();
  return { call: () => native.gateParts(gate.handle), dispose: () => gate.dispose() };
};
answers['createClock'] = () => ({ call: () => native.createClock(0), dispose: () => {} });
answers['attachStock'] = () => {
  const { stock, nativeLedger } = shop();
  const words = new ArrayBuffer(stockStaging.bytes);
  return {
    call: () => native.attachStock(nativeLedger.handle, words),
    dispose: () => stock[Symbol.dispose](),
  };
};

/** @type {Array<[prototype: object, name: string]>} the properties in an answer */
let properties = [];
/** @param {unknown} value */
function collect(value) {
  if (typeof value !== 'object' || value === null || value instanceof ArrayBuffer) return;
  const prototype = Array.isArray(value) ? Array.prototype : Object.prototype;
  for (const [name, inner] of Object.entries(value)) {
    properties.push([prototype, name]);
    collect(inner);
  }
}

/** @type {Set<string>} */
const called = new Set();

function setters() {
  for (const [what, prepare] of Object.entries(answers)) {
    properties = [];
    collect(prepare().call());
    if (properties.length < 2) called.add(`${what}: answers nothing`);
    for (const [prototype, name] of properties) {
      const { call, dispose } = prepare();
      const set = () => {
        called.add(`${what}: setter ${name}`);
        dispose();
      };
      Object.defineProperty(prototype, name, { configurable: true, set });
      call();
      Reflect.deleteProperty(prototype, name);
    }
  }
}

function getters() {
  const stages = ['in', 'out', 'dropped', 'words'];
  const parts = ['queue', 'limiter', 'stock', 'attachment', 'clock', 'handle', 'id', 'token'];
  const fields = ['sku', 'quantity', 'user', 'type', 'offset', 'textRoom'];
  const sizes = [
    'capacity',
    'recordBytes',
    'schema',
    'start',
    'lanes',
    'shed',
    'ttlMs',
    'maxItems',
    'holdMs',
    'max',
  ];
  for (const name of ['', '0', 'commit', 'adaptive', 'keysMax', ...stages, ...parts, ...fields, ...sizes]) {
    let looking = false;
    Object.defineProperty(Object.prototype, name, {
      configurable: true,
      get() {
        if (looking) return undefined;
        looking = true;
        const inside = Reflect.ownKeys(this).map((key) => Reflect.getOwnPropertyDescriptor(this, key)?.value);
        if ([this, ...inside].some(isNative))
          called.add(`getter ${JSON.stringify(name)} is handed native objects`);
        looking = false;
        return undefined;
      },
      set(value) {
        Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
      },
    });
    const queue = Queue.create(Order, { capacity: 8 });
    const gate = Gate.create({ queue });
    Gate.attach(Order, gate.handle);
    Queue.create(Order, { capacity: 8, lanes: 2, weights: [3, 1] });
    const limiter = Limiter.create(limits);
    limiter.configure({ tokenBucket: { burst: 6 } });
    const stock = Stock.create(stockOptions);
    Stock.restore(stock.snapshot());
    const whole = Gate.create({
      queue: Queue.create(Order, { capacity: 8 }),
      limiter,
      stock,
      fields: { sku: 'sku', quantity: 'quantity', user: 'user' },
    });
    Gate.attach(Order, whole.handle);
    ManualClock.attach(new ManualClock().handle);
    Reflect.deleteProperty(Object.prototype, name);
  }
}

/** Checks that native code uses only memory that still exists, whichever getter took other memory away. */
function own() {
  for (const place of ['burst', 'windows']) {
    const inner = nativeLimiter(Limiter.create({ ...limits, keys: { max: 5_000 } }));
    const changes = { burst: 5, windows: [{ windowMs: 2_000, limit: 5 }] };
    const [object, name] = place === 'burst' ? [changes, 'burst'] : [changes.windows[0], 'limit'];
    Object.defineProperty(object, name, { get: () => [inner.dispose(), 5][1] });
    if (inner.configure(changes) !== -100) called.add('configure goes on with what is gone');
  }

  const stock = Stock.create({ ...stockOptions, maxReservations: 100_000 });
  for (let i = 0; i < 100_000; i++) {
    const reserved = stock.reserve({ sku: 1, quantity: 1, user: 7 });
    if (reserved.outcome === 'reserved') stock.cancel(reserved.reservation);
  }
  const snapshot = stock.snapshot();
  const take = () => structuredClone(snapshot.buffer, { transfer: [snapshot.buffer] });
  const clock = { get: () => [take(), undefined][1] };
  const asked = Object.defineProperty({ commit: false }, 'clock', clock);
  if (native.restoreStock(snapshot, asked, new ArrayBuffer(stockStaging.bytes)) !== 'no-snapshot') {
    called.add('restoreStock reads memory that is gone');
  }

  // The options that lib/ makes are not shown to a setter of Object.prototype, which could give them such a getter.
  for (const name of ['maxIds', 'maxUsers', 'movements', 'sku', 'user']) {
    const set = (/** @type {unknown} */ value) => called.add(`setter ${name} is called with ${value}`);
    Object.defineProperty(Object.prototype, name, { configurable: true, set });
    Stock.restore(Stock.create(stockOptions).snapshot(), { maxIds: 32, maxUsers: 32, movements: 16 });
    const fields = /** @type {const} */ ({ sku: 'sku', quantity: 'quantity', user: 'user' });
    Gate.create({ queue: Queue.create(Order, { capacity: 8 }), stock: Stock.create(stockOptions), fields });
    Reflect.deleteProperty(Object.prototype, name);
  }
}

/** A handle is read once, before native code sees it. */
function handles() {
  const made = shop();
  for (const [kind, of, attach] of /** @type {const} */ ([
    ['queue', made.queue, (/** @type {any} */ handle) => Queue.attach(Order, handle)],
    ['limiter', made.limiter, Limiter.attach],
    ['stock', made.stock, Stock.attach],
  ])) {
    const { id, token } = of.handle;
    let reads = 0;
    const handle = { sluice: kind, token };
    Object.defineProperty(handle, 'id', { enumerable: true, get: () => [reads++, id][1] });
    attach(/** @type {any} */ (handle));
    if (reads !== 1) called.add(`the id of a ${kind}'s handle is read ${reads} times`);
  }
}

const modes = { setters, getters, own };
modes[/** @type {keyof typeof modes} */ (process.argv[2])]();
handles();
for (const what of called) console.log(what);
console.log(called.size === 0 ? 'ok' : 'not ok');
process.exit(0);
