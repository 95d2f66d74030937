import { Buffer } from 'node:buffer';
import { arrays, isUint8Array, View } from '../binding/index.js';
import {
  constructorError,
  fieldError,
  isOurs,
  isSafeInteger,
  optionError,
  quoted,
  recordError,
} from '../input/index.js';
import { BytesCodec } from './bytes-codec.js';
import { type Field, isField, type NumberKind, type Place, shifts } from './fields.js';
import { jsonText, TextCodec } from './text-codec.js';

/**
 * A record in a buffer: reads its fields in place. Reused for the next record, so copy what you keep: `toObject()`,
 * `{ ...view }` and `structuredClone(view)` do. In JSON and on the console it is the record.
 */
export type RecordView<T> = Readonly<T> & { toObject(): T };

/** Encodes to and decodes from one buffer. Positions are bytes from its start. */
export interface Codec<T> {
  /** Writes `value` at `at`; throws a typed error that names the field if one has a bad value. */
  encode(value: T, at: number): void;
  /** As `encode`, for `count` values of `list` from index `first`: one behind the other from the start, the last first. */
  encodeMany(list: readonly T[], first: number, count: number): void;
  decode(at: number): T;
  /** Reads the record at the position given to `move`. Always the same. */
  view(): RecordView<T>;
  move(at: number): void;
}

type CodecFactory<T> = (
  buffer: ArrayBuffer,
  view: View,
  arrays: object,
  bytes: BytesCodec,
  text: TextCodec,
  toJsonText: typeof jsonText,
  safeInteger: typeof isSafeInteger,
  fail: (field: string, value: unknown, prepared?: unknown) => Error,
) => Codec<T>;

const maker: unique symbol = Symbol('record');

/**
 * As they were when sluice was loaded. A codec's code reaches memory, so nothing that a program can replace may have a
 * say in it: neither these, nor a method or an iterator of a prototype.
 */
const Compiled = Function;
const { stringify } = JSON;
const { defineProperty: define, freeze, keys } = Object;
const kinds = freeze(keys(shifts) as NumberKind[]);
const strictestFirst = freeze([8, 4, 2, 1]);

type Fields = Readonly<Record<string, Field<unknown>>>;

/** A codec over `buffer`. For lib/ alone: not to be replaced in, or reached from, a record. */
export let codecOf: <T>(record: RecordType<T>, buffer: ArrayBuffer) => Codec<T>;

/** The fields of a fixed-size record, in order, and the code compiled for them. Made by `record()`. */
export class RecordType<T> {
  /** Bytes of one record: a multiple of 8. */
  readonly bytes: number;
  /** A hash of names and types, in order: two records are the same if these are. */
  readonly schema: bigint;
  readonly fields: Readonly<Record<string, Field<unknown>>>;
  readonly #offsets: ReadonlyMap<string, number>;
  readonly #factory: CodecFactory<T>;

  /** @internal */
  constructor(fields: Readonly<Record<string, Field<unknown>>>, by?: typeof maker) {
    // The fields become code: record() has looked at them.
    if (by !== maker) throw constructorError('RecordType', 'record()');
    this.fields = fields;
    const { offsets, bytes } = layOut(fields);
    this.bytes = bytes;
    this.#offsets = new Map(Object.entries(offsets));
    const signature = Object.entries(fields).map(([name, { type }]) => `${JSON.stringify(name)}:${type}`);
    this.schema = fnv1a64(signature.join(','));
    this.#factory = compile<T>(fields, offsets, bytes);
    freeze(this);
  }

  /** Only what was made here, whatever its prototype says. */
  static [Symbol.hasInstance](value: unknown): value is RecordType<unknown> {
    return typeof value === 'object' && value !== null && #factory in value;
  }

  /** Where the field begins within a record, in bytes; undefined if there is no such field. */
  offsetOf(name: string): number | undefined {
    return this.#offsets.get(name);
  }

  /** @internal The name of the field that begins at `offset`. */
  fieldAt(offset: number | undefined): string | undefined {
    for (const [name, at] of this.#offsets) if (at === offset) return name;
    return undefined;
  }

  static {
    codecOf = (record, buffer) => record.#codec(buffer);
  }

  #codec(buffer: ArrayBuffer): Codec<T> {
    const fail = (name: string, value: unknown, prepared: unknown): Error => {
      const field = this.fields[name];
      if (field === undefined) return recordError(value);
      if (field.prepare !== undefined) return fieldError(name, field.accepts, value, prepared === undefined);
      const given = isUint8Array(value) ? 'Uint8Array' : value === null ? 'null' : typeof value;
      return fieldError(name, field.accepts, value, given !== field.typeOf);
    };
    return this.#factory(
      buffer,
      new View(buffer),
      arrays,
      new BytesCodec(buffer),
      new TextCodec(buffer),
      jsonText,
      isSafeInteger,
      fail,
    );
  }
}
isOurs(RecordType);

/** The type of a record's values: `type Order = Infer<typeof Order>`. */
export type Infer<R> = R extends RecordType<infer T> ? T : never;

/** What a set of fields holds. */
export type ValuesOf<F extends Record<string, Field<unknown>>> = {
  [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

/**
 * Declares a record of fixed size: `record({ orderId: u64, sku: u32 })`.
 *
 * Encoder and decoder are compiled for the schema with `new Function`, so a process that forbids code generation
 * from strings (`--disallow-code-generation-from-strings`) cannot use it.
 *
 * @throws TypeError (`ERR_SLUICE_OPTION`) if there are no fields, a field is none of sluice's, or its name is
 *   `__proto__`, `toObject` or empty.
 */
export function record<F extends Record<string, Field<unknown>>>(fields: F): RecordType<ValuesOf<F>> {
  const isObject = typeof fields === 'object' && fields !== null && !Array.isArray(fields);
  const given: Fields = freeze({ ...(isObject ? fields : {}) });
  const names = keys(given);
  if (names.length === 0) throw optionError('record', 'an object with at least one field', fields, true);
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    if (name === '__proto__' || name === 'toObject' || name === '') {
      throw optionError('record', 'a field name other than "", "__proto__" and "toObject"', name, true);
    }
    const field = given[name];
    if (!isField(field)) {
      throw optionError(`record: field ${quoted(name)}`, 'a field type such as u32 or utf8(24)', field, true);
    }
  }
  return new RecordType<ValuesOf<F>>(given, maker);
}

/** Where each field begins: those of the strictest alignment first, so that all are aligned without gaps. */
function layOut(fields: Fields): { offsets: Readonly<Record<string, number>>; bytes: number } {
  const names = keys(fields);
  const offsets: Record<string, number> = {};
  let bytes = 0;
  for (let a = 0; a < strictestFirst.length; a++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      const field = fields[name] as Field<unknown>;
      if ((field.align ?? 1) !== strictestFirst[a]) continue;
      // Not by assignment, which a setter of that name on Object.prototype would get.
      define(offsets, name, { value: bytes, enumerable: true });
      bytes += field.bytes;
    }
  }
  return { offsets, bytes: bytes + (-bytes & 7) };
}

/**
 * Generates and evaluates the codec of a schema. Names are quoted; everything else is this package's own code.
 *
 * Numbers are written through typed arrays and read through a DataView: of the four pairings the fastest, where this
 * was measured.
 */
function compile<T>(
  fields: Fields,
  offsets: Readonly<Record<string, number>>,
  recordBytes: number,
): CodecFactory<T> {
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
  // Stands in the loop too: as a function it would be too long for V8 to inline.
  const body = `
      if (typeof record !== 'object' || record === null) throw fail('', record);
      // All values first: a getter or toJSON of the record may push another one through the same buffer.
      const ${values};
      ${encode}`;
  const source = `'use strict';
    ${asKinds}
    let shown;
    let shownAt = 0;
    // The fields are its own, so that they are copied with it. With a prototype of its own, so that V8 does not take
    // it for an object of another codec with other getters, and keeps it fast.
    function show() {
      return shown ??= Object.freeze({
        __proto__: {
          toObject() { return decode(shownAt); },
          [Symbol.for('nodejs.util.inspect.custom')]() { return decode(shownAt); },
        },
        ${getters}
      });
    }
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
  return new Compiled(
    'buffer',
    'view',
    'arrays',
    'bytes',
    'text',
    'jsonText',
    'isSafeInteger',
    'fail',
    source,
  ) as CodecFactory<T>;
}

/** FNV-1a, 64 bits (G. Fowler, L. C. Noll, K.-P. Vo). */
function fnv1a64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}
