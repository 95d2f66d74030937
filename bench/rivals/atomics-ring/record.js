/**
 * Fixed-size records in shared memory, without BigInt. `record(fields)` lays the fields out; `codecOver(memory)`
 * generates, for one memory, the code that a person would write by hand for this one schema: no loop over fields, no
 * table look-up, every offset a constant.
 */

/**
 * @typedef {'u8'|'u16'|'u32'|'i8'|'i16'|'i32'|'u53'|'f32'|'f64'|'bool'} ScalarType
 * @typedef {{ bytes: number }} OctetsType a Uint8Array of exactly so many bytes
 * @typedef {ScalarType | OctetsType} FieldType
 * @typedef {Record<string, number | boolean | Uint8Array>} Fields the values of one record, by field name
 */

/**
 * @template {Fields} R
 * @typedef {Readonly<R> & { at: number, toObject(): R }} View a view of one slot; `at` is the slot's byte offset
 */

/**
 * @template {Fields} R
 * @typedef {object} Codec
 * @property {View<R>} view one view, to be moved and reused
 * @property {(record: R) => void} check throws a TypeError that names the first bad field
 * @property {(record: R, at: number) => void} write stores a checked record into the slot at byte offset `at`
 */

/**
 * @template {Fields} R
 * @typedef {object} RecordType
 * @property {number} slotBytes the ring's own bytes at the start of the slot included
 * @property {string} signature equal for equal layouts
 * @property {(memory: ArrayBufferLike) => Codec<R>} codecOver
 */

/** Bytes at the start of every slot that belong to the ring, not to the record (see ring.js). */
const SLOT_HEADER_BYTES = 8;

const CACHE_LINE_BYTES = 64;

/**
 * For each type: its size, the array that writes it, the DataView method that reads it, and the condition for a good
 * value `v`.
 */
const types = {
  u8: { bytes: 1, array: 'Uint8Array', get: 'getUint8', good: '(v & 0xff) === v' },
  u16: { bytes: 2, array: 'Uint16Array', get: 'getUint16', good: '(v & 0xffff) === v' },
  u32: { bytes: 4, array: 'Uint32Array', get: 'getUint32', good: 'v >>> 0 === v' },
  i8: { bytes: 1, array: 'Int8Array', get: 'getInt8', good: '(v << 24) >> 24 === v' },
  i16: { bytes: 2, array: 'Int16Array', get: 'getInt16', good: '(v << 16) >> 16 === v' },
  i32: { bytes: 4, array: 'Int32Array', get: 'getInt32', good: '(v | 0) === v' },
  u53: { bytes: 8, array: 'Float64Array', get: 'getFloat64', good: 'Number.isSafeInteger(v) && v >= 0' },
  f32: { bytes: 4, array: 'Float32Array', get: 'getFloat32', good: "typeof v === 'number'" },
  f64: { bytes: 8, array: 'Float64Array', get: 'getFloat64', good: "typeof v === 'number'" },
  bool: { bytes: 1, array: 'Uint8Array', get: 'getUint8', good: "typeof v === 'boolean'" },
};

/**
 * @template {Record<string, FieldType>} const F
 * @param {F} fields the names must be identifiers, because they become code
 * @returns {RecordType<{ [name in keyof F]: F[name] extends OctetsType ? Uint8Array : F[name] extends 'bool' ? boolean
 *   : number }>}
 */
export function record(fields) {
  const { laidOut, slotBytes } = layOut(fields);
  const codecOver = new Function('memory', codecSource(laidOut));
  return {
    slotBytes,
    signature: laidOut.map(({ name, expected }) => `${name}:${expected}`).join(),
    codecOver: (memory) => codecOver(memory),
  };
}

/**
 * Places the widest fields first, so that every field is naturally aligned without padding. The size of a slot is a
 * power of two up to CACHE_LINE_BYTES, and otherwise a multiple of CACHE_LINE_BYTES. So no slot lies across more cache
 * lines than it needs.
 * @param {Record<string, FieldType>} fields
 */
function layOut(fields) {
  let end = SLOT_HEADER_BYTES;
  const laidOut = Object.entries(fields)
    .map(([name, type]) => ({ name, ...(typeof type === 'string' ? scalar(type) : octets(type)) }))
    .sort((a, b) => b.alignment - a.alignment)
    .map((field) => {
      const offset = end;
      end += field.bytes;
      return { ...field, offset };
    });
  let slotBytes = 2 * SLOT_HEADER_BYTES;
  while (slotBytes < end && slotBytes < CACHE_LINE_BYTES) slotBytes *= 2;
  while (slotBytes < end) slotBytes += CACHE_LINE_BYTES;
  return { laidOut, slotBytes };
}

/** @param {ScalarType} type */
function scalar(type) {
  const { bytes, array, get, good } = types[type];
  const littleEndian = bytes > 1 ? ', true' : '';
  const isTrue = type === 'bool' ? ' !== 0' : '';
  return {
    bytes,
    alignment: bytes,
    array,
    good,
    expected: type,
    /** @param {number} offset */
    read: (offset) => `data.${get}(this.at + ${offset}${littleEndian})${isTrue}`,
    /** @param {string} value @param {number} offset */
    write: (value, offset) => `as${array}[(at >>> ${Math.log2(bytes)}) + ${offset / bytes}] = ${value}`,
  };
}

/** @param {OctetsType} type */
function octets({ bytes }) {
  return {
    bytes,
    alignment: 1,
    array: 'Uint8Array',
    good: `v instanceof Uint8Array && v.length === ${bytes}`,
    expected: `${bytes} bytes`,
    /** @param {number} offset */
    read: (offset) => `asUint8Array.slice(this.at + ${offset}, this.at + ${offset + bytes})`,
    /** @param {string} value @param {number} offset */
    write: (value, offset) => `asUint8Array.set(${value}, at + ${offset})`,
  };
}

/**
 * Returns the source of a codec that reads through a DataView and writes through typed arrays. Of the four combinations
 * that were measured this was the fastest: reads through a DataView took half the time of reads through typed arrays.
 * @param {ReturnType<typeof layOut>['laidOut']} fields
 */
function codecSource(fields) {
  const arrays = [...new Set(fields.map((field) => field.array))];
  return `'use strict';
const data = new DataView(memory);
${arrays.map((array) => `const as${array} = new ${array}(memory);`).join('\n')}
function bad(name, type, value) {
  throw new TypeError(name + ': expected ' + type + ', got ' + String(value));
}
class View {
  constructor() { this.at = 0; }
${fields.map(getter).join('\n')}
  toObject() { return { ${fields.map(({ name }) => `${name}: this.${name}`).join(', ')} }; }
}
return {
  view: new View(),
  check(record) {
${fields.map(fieldCheck).join('\n')}
  },
  write(record, at) {
${fields.map(fieldWrite).join('\n')}
  },
};`;
}

/** @typedef {ReturnType<typeof layOut>['laidOut'][number]} Field */

/** @param {Field} field */
function getter({ name, read, offset }) {
  return `  get ${name}() { return ${read(offset)}; }`;
}

/**
 * @param {Field} field
 * @param {number} index
 */
function fieldCheck({ name, expected, good }, index) {
  const value = `v${index}`;
  const isGood = good.replaceAll(/\bv\b/g, value);
  return `    const ${value} = record.${name}; if (!(${isGood})) bad('${name}', '${expected}', ${value});`;
}

/** @param {Field} field */
function fieldWrite({ name, write, offset }) {
  return `    ${write(`record.${name}`, offset)};`;
}
