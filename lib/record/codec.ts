/** The interface of a codec, and the parts that one is made from. */
import { isUint8Array, View } from '../binding/index.js';
import { fieldError, recordError } from '../input/index.js';
import { BytesCodec } from './bytes-codec.js';
import type { Field } from './fields.js';
import { TextCodec } from './text-codec.js';
import { TraceCodec } from './trace-codec.js';

/**
 * A view of a record in a buffer, which reads the fields in place. It is reused for the next record, so copy what you
 * keep, with `toObject()`, `{ ...view }` or `structuredClone(view)`. JSON and the console show the record.
 */
export type RecordView<T> = Readonly<T> & {
  /** Copies the record. */
  toObject(): T;
};

/**
 * Encodes into one buffer, and decodes from it. One position in it is the codec's home. A position is a number of bytes
 * from the buffer's start.
 */
export interface Codec<T> {
  /**
   * Writes `value` at the codec's home. Throws a typed error if `value` is not an object, or if a field has a bad
   * value; the error for a field names it.
   */
  encode(value: T): void;
  /** As `encode`, but at `at`. */
  encodeAt(value: T, at: number): void;
  /**
   * Encodes `count` values of `list`, from index `first` on, into records from `at` on, `apart` bytes from one to the
   * next. It encodes the last value first: a record that a getter of a value pushes uses the first place, and so
   * overwrites no value that is encoded already.
   */
  encodeMany(list: readonly T[], first: number, count: number, at: number, apart: number): void;
  decode(at: number): T;
  /** Returns the view of the record at the position given to `move`: always the same object. */
  view(): RecordView<T>;
  move(at: number): void;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

/** A schema, and where each of its fields begins within a record, in bytes. */
export interface Layout {
  readonly fields: Fields;
  readonly offsets: Readonly<Record<string, number>>;
  /** Bytes of one record: a multiple of 8. */
  readonly bytes: number;
}

/** The buffer of a codec, and the objects through which a codec reads and writes it. */
export interface CodecMemory {
  readonly buffer: ArrayBuffer;
  /** Where `encode` writes: a multiple of 8. */
  readonly home: number;
  readonly view: View;
  readonly bytes: BytesCodec;
  readonly text: TextCodec;
  readonly trace: TraceCodec;
}

/**
 * Makes the error for a field's value, or for the record itself if `field` is ''. `prepared` is the value that `write`
 * got.
 */
export type Fail = (field: string, value: unknown, prepared?: unknown) => Error;

/** Makes a codec for one buffer. */
export type CodecFactory<T> = (memory: CodecMemory, fail: Fail) => Codec<T>;

/**
 * The functions as they were when sluice was loaded. A codec writes memory that native code trusts, so it calls nothing
 * that a program can replace: neither these functions, nor a method, an iterator or a setter of a prototype.
 */
const { defineProperty: define, keys } = Object;
const strictestFirst: readonly number[] = Object.freeze([8, 4, 2, 1]);

/**
 * Decides where each field begins. Fields of the strictest alignment come first, so that all are aligned without gaps.
 */
export function layOut(fields: Fields): Layout {
  const names = keys(fields);
  const offsets: Record<string, number> = {};
  let bytes = 0;
  for (let a = 0; a < strictestFirst.length; a++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      const field = fields[name] as Field<unknown>;
      if ((field.align ?? 1) !== strictestFirst[a]) continue;
      // Not by assignment, which would call a setter of that name on Object.prototype.
      define(offsets, name, { value: bytes, enumerable: true });
      bytes += field.bytes;
    }
  }
  return { fields, offsets, bytes: bytes + (-bytes & 7) };
}

export function memoryOf(buffer: ArrayBuffer, home: number): CodecMemory {
  return {
    ...{ buffer, home, view: new View(buffer) },
    bytes: new BytesCodec(buffer),
    text: new TextCodec(buffer),
    trace: new TraceCodec(buffer),
  };
}

export function failOf(fields: Fields): Fail {
  return (name, value, prepared) => {
    const field = fields[name];
    if (field === undefined) return recordError(value);
    if (field.typeOf === 'JSON') return fieldError(name, field.accepts, value, prepared === undefined);
    const given = isUint8Array(value) ? 'Uint8Array' : value === null ? 'null' : typeof value;
    return fieldError(name, field.accepts, value, given !== field.typeOf);
  };
}
