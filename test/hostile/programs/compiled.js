/**
 * Tries in many ways to change the code of a record's codec, which reaches memory. In a process that generates no code
 * from strings, the codec is the interpreter's. Prints ok if every way fails.
 */
import { Queue, record, u32, utf8 } from 'sluice';

/** @type {Record<string, unknown>} what the changed code gave away, by the way in which it was changed */
const leaked = {};
let way = '';
Reflect.set(globalThis, 'leak', (/** @type {unknown} */ value) => {
  leaked[way] = value;
  return true;
});

/** Code that gives memory away, and an object that claims to be a field with this code. */
const code = 'globalThis.leak(buffer)';
const forged = {
  type: 'u32',
  bytes: 4,
  accepts: '',
  typeOf: 'number',
  check: () => code,
  write: () => code,
  read: () => code,
};
const genuine = () => ({ id: u32, name: utf8(8) });

/** @param {any} fields */
function use(fields) {
  const queue = Queue.create(record(fields), { capacity: 4 });
  queue.tryPush({ id: 1, name: 'a' });
  queue.tryPop();
}

/** Uses a record with `object[name]` replaced. @param {any} object @param {PropertyKey} name @param {unknown} value */
function replaced(object, name, value, fields = genuine()) {
  const before = Reflect.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { value, writable: true, configurable: true });
  try {
    use(fields);
  } finally {
    if (before === undefined) delete object[name];
    else Object.defineProperty(object, name, before);
  }
}

const { Function: RealFunction } = globalThis;
const { join, map, sort } = Array.prototype;
const { stringify } = JSON;
/** @type {Record<string, () => void>} */
const ways = {
  'a getter that answers differently': () => {
    let reads = 0;
    use({
      get id() {
        return reads++ === 0 ? u32 : forged;
      },
    });
  },
  'WeakSet.prototype.has': () =>
    replaced(WeakSet.prototype, 'has', () => true, { id: /** @type {any} */ (forged) }),
  'an inherited property of fields': () => replaced(Object.prototype, 'prepare', () => code),
  'the global Function': () =>
    replaced(globalThis, 'Function', (/** @type {string[]} */ ...given) => {
      const made = RealFunction(...given);
      return (/** @type {unknown[]} */ ...all) => {
        leaked[way] = all[0];
        return made(...all);
      };
    }),
  'Array.prototype.join': () =>
    replaced(Array.prototype, 'join', function (/** @type {string} */ by) {
      const text = Reflect.apply(join, this, [by]);
      return by === '\n' ? `${text};${code};` : text;
    }),
  'Array.prototype.map': () =>
    replaced(Array.prototype, 'map', function (/** @type {unknown[]} */ ...given) {
      return [...Reflect.apply(map, this, given), `;${code};`];
    }),
  'Array.prototype.sort': () =>
    replaced(Array.prototype, 'sort', function (/** @type {unknown[]} */ ...given) {
      return Reflect.apply(sort, this, given).map((/** @type {any} */ [name]) => [
        name,
        { bytes: `0) || ${code} || (0` },
      ]);
    }),
  'String.prototype.replaceAll': () => replaced(String.prototype, 'replaceAll', () => code),
  'JSON.stringify': () =>
    replaced(JSON, 'stringify', (/** @type {unknown} */ value) => `${stringify(value)} || ${code}`),
  'Object.entries': () => replaced(Object, 'entries', () => [['id', forged]]),
  'Object.freeze': () => replaced(Object, 'freeze', () => ({ id: forged })),
  'Map.prototype.get': () => replaced(Map.prototype, 'get', () => `0, ${code}`),
  'elements of Array.prototype': () => {
    const take = (/** @type {unknown} */ memory) => {
      leaked[way] = memory;
      return true;
    };
    const step = { name: 'id', offset: 0, prepare: undefined, write: take, read: take };
    Object.defineProperty(Array.prototype, '0', { get: () => step, set() {}, configurable: true });
    try {
      use(genuine());
    } finally {
      Reflect.deleteProperty(Array.prototype, '0');
    }
  },
  'Math.log2': () => replaced(Math, 'log2', () => `0) + (${code}, 0`),
};
for (const name of Object.keys(ways)) {
  way = name;
  try {
    ways[name]?.();
  } catch (error) {
    if (!(error instanceof Error)) throw error; // an Error gives nothing away: the way was refused or broke
  }
}
for (const name of Object.keys(leaked)) console.log(name, leaked[name]);
console.log(Object.keys(leaked).length === 0 ? 'ok' : 'not ok');
