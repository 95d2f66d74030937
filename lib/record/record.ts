import { Buffer } from 'node:buffer';
import { constructorError, isOurs, optionError, quoted } from '../input/index.js';
import {
  type Codec,
  type CodecFactory,
  type Fields,
  failOf,
  type Layout,
  layOut,
  memoryOf,
} from './codec.js';
import { canCompile, compile } from './compile.js';
import { type Field, isField } from './fields.js';
import { interpret } from './interpret.js';

const maker: unique symbol = Symbol('record');

const advice = Symbol('a queue, gate or record type (send the handle of a queue or gate instead)');

/** The functions as they were when sluice was loaded: see codec.ts. */
const { freeze, keys } = Object;

/**
 * Makes a codec over `buffer`. Only lib/ can call it: a program can neither reach it from a record nor replace it
 * there.
 */
export let codecOf: <T>(record: RecordType<T>, buffer: ArrayBuffer, home?: number) => Codec<T>;

/** The type of a fixed-size record: its fields, in order, and how to encode and decode it. Made by `record()`. */
export class RecordType<T> {
  // biome-ignore lint/correctness/noUnusedPrivateClassMembers: structured clone looks at it first, and names it
  private readonly unsendable: symbol = advice;
  /** Bytes of one record: a multiple of 8. */
  readonly bytes: number;
  /**
   * A hash of the fields' names and types, in order. A type can attach to a queue only if the queue was created with a
   * type of the same hash.
   */
  readonly schema: bigint;
  /** The fields by their names, in the order of their declaration. */
  readonly fields: Readonly<Record<string, Field<unknown>>>;
  readonly #offsets: ReadonlyMap<string, number>;
  readonly #factory: CodecFactory<T>;

  /** @internal */
  constructor(fields: Readonly<Record<string, Field<unknown>>>, by?: typeof maker) {
    // Only record() may call this: it has checked the fields, which become code.
    if (by !== maker) throw constructorError('RecordType', 'record()');
    this.fields = fields;
    const layout = layOut(fields);
    this.bytes = layout.bytes;
    this.#offsets = new Map(Object.entries(layout.offsets));
    const signature = Object.entries(fields).map(([name, { type }]) => `${JSON.stringify(name)}:${type}`);
    this.schema = fnv1a64(signature.join(','));
    this.#factory = codecsOf<T>(layout);
    freeze(this);
  }

  /** True only for types that `record()` made, whatever their prototype. */
  static [Symbol.hasInstance](value: unknown): value is RecordType<unknown> {
    return typeof value === 'object' && value !== null && #factory in value;
  }

  /**
   * Returns where the field begins within a record, in bytes; undefined if there is no such field.
   *
   * @param name The name of a field.
   * @returns The offset in bytes, or undefined.
   * @throws Nothing.
   * @example
   * record({ id: u32, user: u64 }).offsetOf('user');
   */
  offsetOf(name: string): number | undefined {
    return this.#offsets.get(name);
  }

  /** @internal The name of the field that begins at `offset`. */
  fieldAt(offset: number | undefined): string | undefined {
    for (const [name, at] of this.#offsets) if (at === offset) return name;
    return undefined;
  }

  static {
    codecOf = (record, buffer, home = 0) => record.#codec(buffer, home);
  }

  #codec(buffer: ArrayBuffer, home: number): Codec<T> {
    return this.#factory(memoryOf(buffer, home), failOf(this.fields));
  }
}
isOurs(RecordType);

/** The type of a record's values: `type Order = Infer<typeof Order>`. */
export type Infer<R> = R extends RecordType<infer T> ? T : never;

/** The type of the values that a set of fields holds. */
export type ValuesOf<F extends Record<string, Field<unknown>>> = {
  [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};

/**
 * Declares a record of fixed size: `record({ orderId: u64, sku: u32 })`.
 *
 * Encoder and decoder are compiled for the schema with `new Function`. Where code must not be generated from strings
 * (`node --disallow-code-generation-from-strings`, a vm context with `codeGeneration: { strings: false }`) both are
 * interpreted instead: slower, but with the same results and errors.
 *
 * @param fields The fields by their names. Their order is part of the type: `Queue.attach` needs the same order.
 * @returns The type of the record: for `Queue.create`, and for `Infer`.
 * @throws TypeError (`ERR_SLUICE_OPTION`) if there are no fields, if a field is not made by sluice, or if its name is
 *   `__proto__`, `toObject` or empty.
 * @example
 * const Order = record({ orderId: u64, sku: u32, quantity: u16 });
 * type Order = Infer<typeof Order>;
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

/** Compiles the codec, or interprets the schema where code must not be generated from strings. */
function codecsOf<T>(layout: Layout): CodecFactory<T> {
  try {
    return compile<T>(layout);
  } catch (error) {
    if (canCompile()) throw error;
    return interpret<T>(layout);
  }
}

/** FNV-1a, 64 bits (G. Fowler, L. C. Noll, K.-P. Vo). */
function fnv1a64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash;
}
