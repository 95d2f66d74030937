/**
 * Replaces built-ins of JavaScript and of Node.js, and uses sluice. Prints ok if no replaced built-in was given memory
 * or a native object.
 */
import { isNative, objects } from './objects.js';

const RealBuffer = ArrayBuffer;
const { isView } = RealBuffer;
const { apply, construct, getOwnPropertyDescriptor, defineProperty, ownKeys, getPrototypeOf } = Reflect;
const isBuffer = (/** @type {unknown} */ value) => value instanceof RealBuffer;
const mine = new WeakSet();
const has = WeakSet.prototype.has;
/** @type {string[]} */
const leaks = [];
let watching = false;

const look = (/** @type {string} */ name, /** @type {unknown} */ value) => {
  if (typeof value !== 'object' || value === null || apply(has, mine, [value])) return;
  if (isView(value) || isBuffer(value) || isNative(value)) leaks[leaks.length] = name;
};
const watched = (/** @type {string} */ name, /** @type {Function} */ f) =>
  function (/** @type {unknown[]} */ ...given) {
    if (watching) {
      watching = false;
      look(`this of ${name}`, this);
      for (let i = 0; i < given.length; i++) look(`argument of ${name}`, given[i]);
      watching = true;
    }
    return new.target === undefined
      ? apply(f, this, given)
      : construct(f, given, new.target === undefined ? f : new.target);
  };

/** @type {Array<() => void>} */
const patches = [];
const patch = (/** @type {string} */ of, /** @type {any} */ object) => {
  for (const name of ownKeys(object)) {
    const descriptor = /** @type {PropertyDescriptor} */ (getOwnPropertyDescriptor(object, name));
    const path = `${of}.${String(name)}`;
    if (!descriptor.configurable || name === 'constructor' || name === Symbol.hasInstance) continue;
    const { get, value } = descriptor;
    if (typeof value === 'function') {
      patches.push(() => defineProperty(object, name, { ...descriptor, value: watched(path, value) }));
    } else if (get !== undefined) {
      patches.push(() => defineProperty(object, name, { ...descriptor, get: watched(path, get) }));
    }
  }
};
const TypedArray = getPrototypeOf(Uint8Array);
for (const type of [
  ArrayBuffer,
  DataView,
  TypedArray,
  Uint8Array,
  Uint32Array,
  Float64Array,
  BigUint64Array,
  Buffer,
  WeakRef,
  WeakMap,
  WeakSet,
  Map,
  Set,
  FinalizationRegistry,
]) {
  patch(`${type.name}.prototype`, type.prototype);
}
patch('Buffer', Buffer);
patch('ArrayBuffer', ArrayBuffer);
patch('JSON', JSON);
for (const name of [
  'ArrayBuffer',
  'DataView',
  'Uint8Array',
  'Uint16Array',
  'Uint32Array',
  'Float64Array',
  'BigUint64Array',
  'WeakRef',
  'FinalizationRegistry',
]) {
  const type = /** @type {any} */ (globalThis)[name];
  patches.push(() => {
    const replaced = watched(name, type);
    replaced.prototype = type.prototype;
    /** @type {any} */ (globalThis)[name] = replaced;
  });
}
const names = [
  'push',
  'pushTo',
  'admit',
  'handle',
  'attachment',
  'capacity',
  'allow',
  'reserve',
  'keyed',
  'slots',
];
for (const name of names) {
  patches.push(() =>
    defineProperty(Object.prototype, name, {
      configurable: true,
      set: watched(`setter ${name}`, function (/** @type {unknown} */ value) {
        defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
      }),
    }),
  );
}

const early = objects();
for (const doPatch of patches) doPatch();
await use(early);
await use(objects());
watching = false;
for (const name of new Set(leaks)) console.log('leaks to', name);
console.log(leaks.length === 0 ? 'ok' : 'not ok');
process.exit(0);

async function use(
  /** @type {ReturnType<typeof objects>} */ { order, gate, queue, plain, limiter, keyed, windows, stock },
) {
  const record = order();
  mine.add(record.seal).add(record.seal.buffer);
  watching = true;
  gate.admit(record);
  plain.tryPush(record);
  plain.tryPushMany([record, record], { lane: 1 });
  const batcher = plain.batcher();
  batcher.push(record);
  batcher.flush();
  const permit = plain.tryReserve(1);
  permit?.send(record);
  plain.drain((view) => [view.note, view.seal, view.more, view.toObject()], 2);
  const taken = plain.popMany(1);
  for (const { seal } of taken) void seal;
  plain.tryPop();
  await plain.push(record);
  queue.stats();
  limiter.allow();
  keyed.tryAcquire({ key: 'é'.repeat(500) });
  const decision = windows.tryAcquire();
  if (decision.allowed) decision.refund();
  stock.reserve({ sku: 'mug', quantity: 1, user: 'é', id: 'id' });
  stock.reserveAll([{ sku: 1, quantity: 1 }], { user: 'é' });
  stock.counts('mug');
  watching = false;
  const bytes = stock.snapshot();
  mine.add(bytes).add(bytes.buffer);
  const { signal } = new AbortController();
  watching = true;
  const one = queue[Symbol.asyncIterator]();
  await one.next();
  await one.return();
  void signal;
  watching = false;
}
