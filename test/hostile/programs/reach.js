/**
 * Looks at what public objects lead to, up to a path of seven names, and calls the functions found with bad arguments,
 * except those that block. Prints ok if it found no native object and no memory of one.
 */
import * as sluice from 'sluice';
import { isNative, objects } from './objects.js';

/** @type {Set<unknown>} the objects that every program has, which are not looked at */
const builtIn = new Set();
/** @param {unknown} value @param {(from: string, to: unknown, of: unknown) => void} visit */
function members(value, visit) {
  const object = /** @type {object} */ (value);
  for (const name of Reflect.ownKeys(object)) {
    const { get, set, value: member } = Reflect.getOwnPropertyDescriptor(object, name) ?? {};
    for (const found of [get, set, member]) visit(String(name), found, object);
  }
  visit('[[Prototype]]', Reflect.getPrototypeOf(object), object);
}
const isObject = (/** @type {unknown} */ value) =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';
(function addBuiltIn(/** @type {unknown} */ value) {
  if (!isObject(value) || builtIn.has(value) || builtIn.size > 50_000) return;
  builtIn.add(value);
  members(value, (_, member) => addBuiltIn(member));
})(globalThis);

const hostile = [
  undefined,
  null,
  -1,
  0,
  1,
  5000,
  2 ** 32,
  NaN,
  Infinity,
  1n,
  -1n,
  2n ** 64n,
  '',
  'x',
  {},
  [],
  () => {},
];
const blocking = new Set(['popSync', 'pushSync']);
const ending = new Set(['dispose', 'asyncDispose']);
let seed = Number(process.argv[2] ?? 1);
const random = (/** @type {number} */ n) => {
  seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
  return seed % n;
};

/** @type {string[]} */
const reached = [];
/** @type {Map<object, string>} */
const seen = new Map();
/** @type {Array<[object, string, unknown]>} */
const work = [];
const enter = (/** @type {unknown} */ value, /** @type {string} */ path, /** @type {unknown} */ owner) => {
  if (!isObject(value) || builtIn.has(value)) return;
  const object = /** @type {object} */ (value);
  if (seen.has(object) || path.split(/[.(]/).length > 7) return;
  seen.set(object, path);
  if (isNative(object)) reached.push(`a native object: ${path}`);
  if (ArrayBuffer.isView(object) && object.buffer.byteLength > 9 && !path.includes('snapshot'))
    reached.push(`memory: ${path}`);
  work.push([object, path, owner]);
};

/** @type {Map<Function, number>} */
const calls = new Map();
const call = async (/** @type {Function} */ f, /** @type {string} */ path, /** @type {unknown} */ self) => {
  const called = calls.get(f) ?? 0;
  calls.set(f, called + 1);
  if (called >= 4) return;
  for (let i = 0; i < 12; i++) {
    const given = Array.from({ length: random(4) }, () => hostile[random(hostile.length)]);
    for (const how of [() => Reflect.apply(f, self, given), () => Reflect.construct(f, given)]) {
      try {
        const result = how();
        if (result instanceof Promise) result.catch(() => {});
        enter(result, `${path}()`, undefined);
        if (typeof result?.next === 'function') {
          result.next().catch?.(() => {});
          result.return?.()?.catch?.(() => {});
        }
      } catch (error) {
        enter(error, `${path}()!`, undefined);
      }
    }
  }
};

process.on('unhandledRejection', () => {});
const all = objects();
const { gate, queue, plain, stock, keyed, order, Order } = all;
for (let i = 0; i < 3; i++) gate.admit(order());
const controller = new AbortController();
const consumed = gate.consume(
  async (taken, hold) => {
    enter(hold, 'hold', undefined);
    enter(taken, 'taken', undefined);
  },
  { signal: controller.signal },
);
await new Promise((resolve) => setTimeout(resolve, 20));
controller.abort();
await consumed.catch(() => {});
plain.tryPush(order());
plain.drain((view) => enter(view, 'view', undefined));
enter(await plain.reserve(1), 'permit', undefined);
enter(plain.batcher(), 'batcher', undefined);
enter(keyed.tryAcquire({ key: 'k' }), 'decision', undefined);
enter(stock.reserve({ sku: 1, quantity: 1, user: 'someone', id: 'one' }), 'reserved', undefined);
enter(gate.admit(order()), 'admission', undefined);
// Writes to properties that are readonly for TypeScript only.
const permit = plain.tryReserve(2);
if (permit !== undefined) {
  Reflect.set(permit, 'lane', 5000);
  permit.send(order());
  permit[Symbol.dispose]();
}
for (const name of ['bytes', 'schema', 'codec', 'offsetOf']) Reflect.set(Order, name, () => 5000);
for (const [object, names] of /** @type {const} */ ([
  [gate, ['queue', 'limiter', 'stock']],
  [queue, ['capacity', 'record']],
])) {
  for (const name of names) Reflect.set(object, name, undefined);
}
gate.admit(order());
for (const [name, value] of Object.entries(all)) if (name !== 'order') enter(value, name, undefined);
for (const [name, value] of Object.entries(sluice)) enter(value, name, undefined);
enter(new sluice.SluiceError('ERR_SLUICE_OPTION', ''), 'error', undefined);

/** @type {Array<[Function, string, unknown]>} */
const last = [];
while (work.length > 0) {
  const [object, path, owner] = /** @type {[object, string, unknown]} */ (work.shift());
  members(object, (name, member, of) => enter(member, `${path}.${name}`, of));
  for (let from = /** @type {object | null} */ (object); from !== null; from = Reflect.getPrototypeOf(from)) {
    if (builtIn.has(from)) break;
    for (const name of Reflect.ownKeys(from)) {
      const { get, value } = Reflect.getOwnPropertyDescriptor(from, name) ?? {};
      if (get !== undefined) await call(get, `${path}.${String(name)}`, object);
      if (typeof value !== 'function' || builtIn.has(value)) continue;
      const short = String(name);
      if (blocking.has(short)) continue;
      const method = /** @type {[Function, string, unknown]} */ ([value, `${path}.${short}`, object]);
      const ends = ending.has(short) || /ispose|close|then/.test(short);
      if (ends) last.push(method);
      else await call(...method);
    }
  }
  if (typeof object === 'function') await call(object, path, owner);
}
for (const method of last) await call(...method);
console.log(seen.size, 'objects', reached.slice(0, 5));
console.log(reached.length === 0 ? 'ok' : 'not ok');
process.exit(0);
