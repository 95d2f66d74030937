/** Makes a codec by generating its code, which is specialised to the schema. */
import { arrays } from '../binding/index.js';
import { isSafeInteger } from '../input/index.js';
import type { BytesCodec } from './bytes-codec.js';
import type { Codec, CodecFactory, Fail, Layout } from './codec.js';
import { type Field, type NumberKind, type Place, shifts } from './fields.js';
import { jsonText, type TextCodec } from './text-codec.js';

/** The functions as they were when sluice was loaded: see codec.ts. */
const Compiled = Function;
const { stringify } = JSON;
const { freeze, keys } = Object;
const kinds = freeze(keys(shifts) as NumberKind[]);

type Program<T> = (
  buffer: ArrayBuffer,
  view: DataView,
  arrays: object,
  bytes: BytesCodec,
  text: TextCodec,
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
 * Generates and evaluates the codec of a schema. Names are quoted; everything else is this package's own code.
 *
 * Numbers are written through typed arrays and read through a DataView: the fastest of the four combinations, as
 * measured.
 */
export function compile<T>({ fields, offsets, bytes: recordBytes }: Layout): CodecFactory<T> {
  const names = keys(fields);
  const used: Partial<Record<NumberKind, true>> & { __proto__: null } = { __proto__: null };
  let values = '';
  let encode = '';
  let object = '';
  let getters = '';
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    const field = fields[name] as Field<unknown>;
    const key = stringify(name);
    const offset = offsets[name] as number; // every field has one
    const comma = i === 0 ? '' : ', ';
    values += `${comma}v${i} = record[${key}]`;
    if (field.prepare !== undefined) values += `, p${i} = ${field.prepare(`v${i}`)}`;
    const v = `${field.prepare === undefined ? 'v' : 'p'}${i}`;
    const place: Place = {
      byte: `at + ${offset}`,
      element: (kind) => {
        used[kind] = true;
        return `as${kind}[(at >>> ${shifts[kind]}) + ${offset / 2 ** shifts[kind]}]`;
      },
    };
    const write = field.write(v, place);
    const failed = `throw fail(${key}, v${i}, ${v})`;
    encode += `if (!(${field.check(v)})) ${failed};\n`;
    encode += field.writeTells ? `if (!${write}) ${failed};\n` : `${write};\n`;
    object += `${comma}${key}: ${field.read(`at + ${offset}`)}`;
    getters += `get [${key}]() { return ${field.read(`shownAt + ${offset}`)}; },\n`;
  }
  let asKinds = '';
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[i] as NumberKind;
    if (used[kind]) asKinds += `const as${kind} = new arrays.${kind}Array(buffer);\n`;
  }
  // The body is repeated in the loop of encodeMany(): encode() would be too long for V8 to inline there.
  const body = `
      if (typeof record !== 'object' || record === null) throw fail('', record);
      // Reads all values first: a getter or toJSON of the record may push another record through the same buffer.
      const ${values};
      ${encode}`;
  const source = `'use strict';
    ${asKinds}
    let shown;
    let shownAt = 0;
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
    function encode(record, at) {
      ${body}
    }
    function encodeMany(list, first, count) {
      for (let i = count - 1; i >= 0; i--) {
        const record = list[first + i];
        const at = i * ${recordBytes};
        ${body}
      }
    }
    function decode(at) { return { ${object} }; }
    return { encode, encodeMany, decode, view: show, move(at) { shownAt = at; } };`;
  const program = new Compiled(
    'buffer',
    'view',
    'arrays',
    'bytes',
    'text',
    'jsonText',
    'isSafeInteger',
    'fail',
    source,
  ) as Program<T>;
  return ({ buffer, view, bytes, text }, fail) =>
    program(buffer, view, arrays, bytes, text, jsonText, isSafeInteger, fail);
}
