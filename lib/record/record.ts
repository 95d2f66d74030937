import { Buffer } from 'node:buffer';
import { isUint8Array } from 'node:util/types';
import { constructorError, fieldError, isOurs, optionError, quoted, recordError } from '../errors.js';
import { arrays, View } from '../memory.js';
import { type Field, isField, type NumberKind, type Place } from './fields.js';
import { OctetsCodec } from './octets.js';
import { jsonText, TextCodec } from './text.js';

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
  octets: OctetsCodec,
  text: TextCodec,
  toJsonText: typeof jsonText,
  fail: (field: string, value: unknown, prepared?: unknown) => Error,
) => Codec<T>;

const maker: unique symbol = Symbol('record');
const parameters = ['buffer', 'view', 'arrays', 'octets', 'text', 'jsonText', 'fail'];

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
    this.fields = Object.freeze({ ...fields });
    const { offsets, bytes } = layOut(this.fields);
    this.bytes = Math.ceil(bytes / 8) * 8;
    this.#offsets = offsets;
    const signature = Object.entries(fields).map(([name, { type }]) => `${JSON.stringify(name)}:${type}`);
    this.schema = fnv1a64(signature.join(','));
    this.#factory = compile<T>(this.fields, offsets, this.bytes);
    Object.freeze(this);
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
      new OctetsCodec(buffer),
      new TextCodec(buffer),
      jsonText,
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
  if (!isObject || Object.keys(fields).length === 0) {
    throw optionError('record', 'an object with at least one field', fields, true);
  }
  for (const [name, field] of Object.entries(fields)) {
    if (name === '__proto__' || name === 'toObject' || name === '') {
      throw optionError('record', 'a field name other than "", "__proto__" and "toObject"', name, true);
    }
    if (!isField(field)) {
      throw optionError(`record: field ${quoted(name)}`, 'a field type such as u32 or utf8(24)', field, true);
    }
  }
  return new RecordType<ValuesOf<F>>(fields, maker);
}

/** Where each field begins: those of the strictest alignment first, so that all are aligned without gaps. */
function layOut(fields: Readonly<Record<string, Field<unknown>>>): {
  offsets: ReadonlyMap<string, number>;
  bytes: number;
} {
  const offsets = new Map<string, number>();
  let bytes = 0;
  const strictestFirst = Object.entries(fields).sort(([, a], [, b]) => (b.align ?? 1) - (a.align ?? 1));
  for (const [name, field] of strictestFirst) {
    offsets.set(name, bytes);
    bytes += field.bytes;
  }
  return { offsets, bytes };
}

/**
 * Generates and evaluates the codec of a schema. Names are quoted; everything else is this package's own code.
 *
 * Numbers are written through typed arrays and read through a DataView: of the four pairings the fastest, where this
 * was measured.
 */
function compile<T>(
  fields: Readonly<Record<string, Field<unknown>>>,
  offsets: ReadonlyMap<string, number>,
  recordBytes: number,
): CodecFactory<T> {
  const kinds = new Set<NumberKind>();
  const values: string[] = [];
  const encode: string[] = [];
  const object: string[] = [];
  const getters: string[] = [];
  for (const [i, [name, field]] of Object.entries(fields).entries()) {
    const key = JSON.stringify(name);
    const offset = offsets.get(name) as number; // every field has one
    values.push(`v${i} = record[${key}]`);
    if (field.prepare !== undefined) values.push(`p${i} = ${field.prepare(`v${i}`)}`);
    const v = `${field.prepare === undefined ? 'v' : 'p'}${i}`;
    const place: Place = {
      byte: `at + ${offset}`,
      element: (kind) => {
        kinds.add(kind);
        const bytes = Number(/\d+$/.exec(kind)?.[0]) / 8;
        return `as${kind}[(at >>> ${Math.log2(bytes)}) + ${offset / bytes}]`;
      },
    };
    const write = field.write(v, place);
    const failed = `throw fail(${key}, v${i}, ${v})`;
    encode.push(`if (!(${field.check.replaceAll(/\bv\b/g, v)})) ${failed};`);
    encode.push(field.writeTells ? `if (!${write}) ${failed};` : `${write};`);
    object.push(`${key}: ${field.read(`at + ${offset}`)}`);
    getters.push(`get [${key}]() { return ${field.read(`shownAt + ${offset}`)}; }`);
  }
  // Stands in the loop too: as a function it would be too long for V8 to inline.
  const body = `
      if (typeof record !== 'object' || record === null) throw fail('', record);
      // All values first: a getter or toJSON of the record may push another one through the same buffer.
      const ${values.join(', ')};
      ${encode.join('\n')}`;
  const source = `'use strict';
    ${[...kinds].map((kind) => `const as${kind} = new arrays.${kind}Array(buffer);`).join('\n')}
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
        ${getters.join(',\n')}
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
    function decode(at) { return { ${object.join(', ')} }; }
    return { encode, encodeMany, decode, view: show, move(at) { shownAt = at; } };`;
  return new Function(...parameters, source) as CodecFactory<T>;
}

/** FNV-1a, 64 bits (G. Fowler, L. C. Noll, K.-P. Vo). */
function fnv1a64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}
