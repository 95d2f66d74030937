/** Makes a codec by generating its code, which is specialised to the schema. */
import { arrays } from '../binding/index.js';
import { isSafeInteger } from '../input/index.js';
import type { BytesCodec } from './bytes-codec.js';
import type { Codec, CodecFactory, Fail, Layout } from './codec.js';
import { type Field, type NumberKind, type Place, shifts } from './fields.js';
import { jsonText, type TextCodec } from './text-codec.js';
import type { TraceCodec } from './trace-codec.js';

/** The functions as they were when sluice was loaded: see codec.ts. */
const Compiled = Function;
const { stringify } = JSON;
const { freeze, keys } = Object;
const kinds = freeze(keys(shifts) as NumberKind[]);

type Program<T> = (
  buffer: ArrayBuffer,
  home: number,
  view: DataView,
  arrays: object,
  bytes: BytesCodec,
  text: TextCodec,
  trace: TraceCodec,
  toJsonText: typeof jsonText,
  safeInteger: typeof isSafeInteger,
  fail: Fail,
) => Codec<T>;

/** Whether this process and this realm allow code to be generated from strings. */
export function canCompile(): boolean {
  try {
    new Compiled('');
    return true;
  } catch {
    return false;
  }
}

/**
 * How many fields one generated function writes: V8 inlines no function with more than 460 bytes of bytecode, and a
 * field takes up to 60 of them. Into one function V8 inlines no more than 920 bytes, so each byte here counts. Where V8
 * did not inline all of `tryPush` and `drain`, a push and a drain of a record of nine fields took 38 ns instead of 30.
 */
const fieldsEach = 5;

/**
 * Generates and evaluates the codec of a schema. Names are quoted; everything else is this package's own code.
 *
 * Numbers are written through typed arrays and read through a DataView: the fastest of the four combinations, as
 * measured.
 */
export function compile<T>(layout: Layout): CodecFactory<T> {
  const { fields, offsets, bytes } = layout;
  const names = keys(fields);
  const used: Partial<Record<NumberKind, true>> & { __proto__: null } = { __proto__: null };
  let object = '';
  let getters = '';
  for (let i = 0; i < names.length; i++) {
    const key = stringify(names[i]);
    const field = fields[names[i] as string] as Field<unknown>;
    const offset = offsets[names[i] as string];
    object += `${i === 0 ? '' : ', '}${key}: ${field.read(`at + ${offset}`)}`;
    getters += `get [${key}]() { return ${field.read(`shownAt + ${offset}`)}; },\n`;
  }
  // At home every index is a constant, which makes the encoder shorter: see `fieldsEach`.
  const atHome = encoderOf(layout, 'encode', '', (offset) => ({
    byte: `home + ${offset}`,
    element: (kind) => {
      used[kind] = true;
      return `home${kind}[${offset / 2 ** shifts[kind]}]`;
    },
  }));
  const anywhere = encoderOf(layout, 'encodeAt', 'at', (offset) => ({
    byte: `at + ${offset}`,
    element: (kind) => `as${kind}[(at >>> ${shifts[kind]}) + ${offset / 2 ** shifts[kind]}]`,
  }));
  // The codec's variables are parameters, because each access to a variable of `let` or `const` from another function
  // checks that it has been initialised.
  let parameters = 'shownAt, shown';
  let initial = '0, undefined';
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i] as NumberKind;
    if (!used[kind]) continue;
    parameters += `, as${kind}, home${kind}`;
    initial += `, new arrays.${kind}Array(buffer)`;
    initial += `, new arrays.${kind}Array(buffer, home, ${bytes / 2 ** shifts[kind]})`;
  }
  const source = `'use strict';
    return codec(${initial});
    function codec(${parameters}) {
    // The fields are own properties, so that a copy of the view has them. The view has its own prototype, too: V8 then
    // does not share a hidden class with the views of other codecs, whose getters differ, and access stays fast.
    function makeView() {
      return Object.freeze({
        __proto__: {
          toObject() { return decode(shownAt); },
          [Symbol.for('nodejs.util.inspect.custom')]() { return decode(shownAt); },
        },
        ${getters}
      });
    }
    // As short as can be: V8 inlines no more than so many bytecodes into a loop that drains.
    function show() { return shown ??= makeView(); }
    function isU53(v) { return v >= 0 && isSafeInteger(v); }
    ${atHome}
    ${anywhere}
    function encodeMany(list, first, count, at, apart) {
      for (let i = count - 1; i >= 0; i--) encodeAt(list[first + i], at + i * apart);
    }
    function decode(at) { return { ${object} }; }
    return { encode, encodeAt, encodeMany, decode, view: show, move(at) { shownAt = at; } };
    }`;
  const program = new Compiled(
    'buffer',
    'home',
    'view',
    'arrays',
    'bytes',
    'text',
    'trace',
    'jsonText',
    'isSafeInteger',
    'fail',
    source,
  ) as Program<T>;
  return ({ buffer, home, view, bytes: octets, text, trace }, fail) =>
    program(buffer, home, view, arrays, octets, text, trace, jsonText, isSafeInteger, fail);
}

/**
 * Generates the function `name`, which encodes a record at the places that `placeOf` returns for the fields' offsets.
 * `at`: its second parameter; '' if it has none.
 */
function encoderOf(
  { fields, offsets }: Layout,
  name: string,
  at: string,
  placeOf: (offset: number) => Place,
): string {
  const names = keys(fields);
  let values = '';
  let writers = '';
  let writes = '';
  for (let first = 0; first < names.length; first += fieldsEach) {
    let given = '';
    let steps = '';
    let ends = '';
    let fault = '';
    for (let i = first; i < first + fieldsEach && i < names.length; i++) {
      const field = fields[names[i] as string] as Field<unknown>;
      const key = stringify(names[i]);
      values += `${i === 0 ? '' : ', '}v${i} = record[${key}]`;
      given += `v${i}, `;
      if (field.prepare !== undefined) {
        values += `, p${i} = ${field.prepare(`v${i}`)}`;
        given += `p${i}, `;
      }
      const v = `${field.prepare === undefined ? 'v' : 'p'}${i}`;
      const write = field.write(v, placeOf(offsets[names[i] as string] as number)); // every field has an offset
      const failed = `fail(${key}, v${i}, ${v})`;
      steps += `if (${field.check(v)}) {\n`;
      steps += field.writeTells ? `if (!${write}) throw ${failed};\n` : `${write};\n`;
      ends += '}';
      fault += `if (!(${field.check(v)})) return ${failed};\n`;
    }
    // The error is made in a function of its own, which does not count for the size of the writer.
    writers += `function ${name}Fault${first}(${given}) { let n; ${fault} }
      function ${name}${first}(${given}${at}) {
        let n;
        ${steps} return; ${ends}
        throw ${name}Fault${first}(${given});
      }\n`;
    writes += `${name}${first}(${given}${at});\n`;
  }
  return `${writers}
    function ${name}(record, ${at}) {
      if (typeof record !== 'object' || record === null) throw fail('', record);
      // Reads all values first: a getter or toJSON of the record may push another record through the same buffer.
      const ${values};
      ${writes}
    }`;
}
