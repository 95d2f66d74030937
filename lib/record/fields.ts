/** The types of a record's fields: what each holds, and the code from which compile.ts makes a codec. */
import { Marks } from '../binding/index.js';
import { bare, isInteger, Options, optionError, quoted } from '../input/index.js';
import { traceBytes } from './trace-codec.js';

/** The functions as they were when sluice was loaded: their results become code. */
const { stringify } = JSON;
const { freeze } = Object;

/** The kinds of fields. interpret.ts tells them apart. */
type FieldKind =
  | `${'u' | 'i'}${8 | 16 | 32 | 64}`
  | 'u53'
  | `f${32 | 64}`
  | 'bool'
  | 'utf8'
  | 'bytes'
  | 'json'
  | 'oneOf'
  | 'traceContext';

/**
 * A field that holds values of type `T` in a fixed number of bytes.
 *
 * Some properties are functions that return code: JavaScript expressions over a value `v` and a byte position `at`.
 * `record()` compiles from them an encoder and a decoder specialised to its schema.
 */
export interface Field<T> {
  /** Name and parameters, as in a schema's signature: `u32`, `utf8(24)`. */
  readonly type: string;
  /** @internal */
  readonly kind: FieldKind;
  /** @internal The values of a `oneOf`. */
  readonly choices?: readonly string[];
  /** Bytes that the field takes in a record, before alignment. */
  readonly bytes: number;
  /** @internal Its place in a record is a multiple of this many bytes; 1 if absent. */
  readonly align?: number;
  /** What the field accepts, for error messages. */
  readonly accepts: string;
  /** The JavaScript type of an acceptable value, to tell a wrong type from a wrong value. */
  readonly typeOf: 'number' | 'bigint' | 'boolean' | 'string' | 'Uint8Array' | 'JSON';
  /** @internal The value that `check` and `write` get in place of `v`; undefined if `v` has the wrong type. */
  readonly prepare?: (v: string) => string;
  /**
   * @internal Whether `v` is acceptable, as far as this can be checked without writing it. The code may assign a number
   * to the variable `n`, which `write` then finds there.
   */
  readonly check: (v: string) => string;
  /** @internal Writes `v` at `at`. */
  readonly write: (v: string, at: Place) => string;
  /** @internal Whether `write` yields false for a value that turns out to be unacceptable. */
  readonly writeTells?: true;
  /** @internal Reads the value at `at`. */
  readonly read: (at: string) => string;
  /** The type of the values, for `Infer`. Never present at run time. */
  readonly __value?: T;
}

const genuine = new Marks();

/** The fields without parameters, by kind: the type of such a field is its kind. */
const plain: Partial<Record<FieldKind, Field<unknown>>> = bare({});

/**
 * Makes a field. Only objects that were made here count as fields, because the properties of a field become code. A
 * field inherits no property.
 */
function made<T>(properties: Field<T>): Field<T> {
  const field: Field<T> = freeze({ __proto__: null, ...properties });
  genuine.add(field);
  if (field.type === field.kind) plain[field.kind] = field;
  return field;
}

/** @internal */
export function isField(value: unknown): value is Field<unknown> {
  return typeof value === 'object' && value !== null && genuine.has(value);
}

/** @internal The place where a field is written, as JavaScript expressions. */
export interface Place {
  /** The position of its first byte, from the start of the buffer. */
  readonly byte: string;
  /** Returns the element at the field's place in a typed array over the buffer. */
  element(kind: NumberKind): string;
}

/** The kinds of number that typed arrays hold, as in the names of `Uint8Array` and `DataView.prototype.getUint8`. */
export type NumberKind = `${'Uint' | 'Int'}${8 | 16 | 32}` | `${'BigUint' | 'BigInt'}64` | `Float${32 | 64}`;

/** The size of an element in bytes is 2 to the power of this number. */
export const shifts: Readonly<Record<NumberKind, number>> = freeze({
  Uint8: 0,
  Int8: 0,
  Uint16: 1,
  Int16: 1,
  Uint32: 2,
  Int32: 2,
  Float32: 2,
  BigUint64: 3,
  BigInt64: 3,
  Float64: 3,
});

function typed<T extends number | bigint>(
  type: FieldKind,
  typeOf: 'number' | 'bigint',
  element: NumberKind,
  accepts: string,
  check: (v: string) => string,
): Field<T> {
  const bytes = 1 << shifts[element];
  return made({
    type,
    kind: type,
    bytes,
    align: bytes,
    accepts,
    typeOf,
    check: (v) => `typeof ${v} === '${typeOf}' && ${check(v)}`,
    write: (v, at) => `${at.element(element)} = ${v}`,
    read: (at) => `view.get${element}(${at}, true)`,
  });
}

function numeric(
  type: FieldKind,
  element: NumberKind,
  accepts: string,
  check: (v: string) => string,
): Field<number> {
  return typed(type, 'number', element, accepts, check);
}

function big(
  type: FieldKind,
  element: NumberKind,
  accepts: string,
  check: (v: string) => string,
): Field<bigint> {
  return typed(type, 'bigint', element, accepts, check);
}

/** A whole number from 0 to 255. One byte. */
export const u8: Field<number> = numeric(
  'u8',
  'Uint8',
  'a whole number from 0 to 255',
  (v) => `(${v} & 0xff) === ${v}`,
);
/** A whole number from 0 to 65,535. Two bytes. */
export const u16: Field<number> = numeric(
  'u16',
  'Uint16',
  'a whole number from 0 to 65535',
  (v) => `(${v} & 0xffff) === ${v}`,
);
/** A whole number from 0 to 4,294,967,295. Four bytes. */
export const u32: Field<number> = numeric(
  'u32',
  'Uint32',
  'a whole number from 0 to 4294967295',
  (v) => `${v} >>> 0 === ${v}`,
);
/** A whole number from -128 to 127. One byte. */
export const i8: Field<number> = numeric(
  'i8',
  'Int8',
  'a whole number from -128 to 127',
  (v) => `(${v} << 24) >> 24 === ${v}`,
);
/** A whole number from -32,768 to 32,767. Two bytes. */
export const i16: Field<number> = numeric(
  'i16',
  'Int16',
  'a whole number from -32768 to 32767',
  (v) => `(${v} << 16) >> 16 === ${v}`,
);
/** A whole number from -2,147,483,648 to 2,147,483,647. Four bytes. */
export const i32: Field<number> = numeric(
  'i32',
  'Int32',
  'a whole number from -2147483648 to 2147483647',
  (v) => `(${v} | 0) === ${v}`,
);
/** A whole number from 0 to 2^53 - 1, as a JavaScript number. Eight bytes. */
export const u53: Field<number> = made({
  ...numeric(
    'u53',
    'Float64',
    'a whole number from 0 to 9007199254740991',
    // The first condition only saves time: most numbers are within the range of u32.
    (v) => `(${v} >>> 0 === ${v} || isU53(${v}))`,
  ),
  write: (v, at) => `${at.element('Float64')} = ${v} + 0`, // + 0: -0 is written as 0
});
/**
 * Any number but NaN that is within the range of a 32-bit float; it is rounded to the nearest such float. Four bytes.
 */
export const f32: Field<number> = numeric(
  'f32',
  'Float32',
  'a number within the range of a 32-bit float',
  // From this magnitude on (half a unit in the last place above the largest float) a finite number would be rounded to
  // infinity.
  (v) =>
    `(${v} > -3.4028235677973366e38 && ${v} < 3.4028235677973366e38 || ${v} === Infinity || ${v} === -Infinity)`,
);
/** Any number but NaN. Eight bytes. */
// V8 knows of `n`, the result of an operator, that it is a number. Of `v` it would check that again at each use: 1.5 ns
// for a record with four such fields (measured).
export const f64: Field<number> = made({
  ...numeric('f64', 'Float64', 'a number other than NaN', (v) => `(n = +${v}) === n`),
  write: (_, at) => `${at.element('Float64')} = n`,
});
/** A bigint from 0 to 2^64 - 1. Eight bytes. */
export const u64: Field<bigint> = big(
  'u64',
  'BigUint64',
  'a bigint from 0n to 18446744073709551615n',
  (v) => `${v} >= 0n && ${v} <= 18446744073709551615n`,
);
/** A bigint from -2^63 to 2^63 - 1. Eight bytes. */
export const i64: Field<bigint> = big(
  'i64',
  'BigInt64',
  'a bigint from -9223372036854775808n to 9223372036854775807n',
  (v) => `${v} >= -9223372036854775808n && ${v} <= 9223372036854775807n`,
);
/** `true` or `false`. One byte. */
export const bool: Field<boolean> = made({
  type: 'bool',
  kind: 'bool',
  bytes: 1,
  accepts: 'true or false',
  typeOf: 'boolean',
  check: (v) => `typeof ${v} === 'boolean'`,
  write: (v, at) => `${at.element('Uint8')} = ${v} ? 1 : 0`,
  read: (at) => `view.getUint8(${at}) === 1`,
});

/** @internal How many bytes the length in front of a text or of bytes takes. */
export const lengthBytes = 2;
const lengthMax = 65_535;

function checkedMax(field: string, max: number): number {
  if (!(isInteger(max) && max >= 1 && max <= lengthMax)) {
    throw optionError(`${field}: max`, `a whole number from 1 to ${lengthMax}`, max, typeof max !== 'number');
  }
  return max;
}

/**
 * A string of at most `maxBytes` bytes of UTF-8 (1 to 65,535). A longer string, or one with a lone surrogate, is an
 * error. No part of a string is ever cut off or replaced.
 *
 * @param maxBytes The most bytes of UTF-8: 1 to 65,535.
 * @returns The field.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming `max`.
 * @example
 * const Order = record({ user: utf8(64) });
 */
export function utf8(maxBytes: number): Field<string> {
  const max = checkedMax('utf8', maxBytes);
  return made({
    type: `utf8(${max})`,
    kind: 'utf8',
    bytes: lengthBytes + max,
    accepts: `a well-formed string of at most ${max} bytes of UTF-8`,
    typeOf: 'string',
    check: (v) => `typeof ${v} === 'string'`,
    write: (v, at) => `text.write(${v}, ${at.byte}, ${max})`,
    writeTells: true,
    read: (at) => `text.read(${at})`,
  });
}

/**
 * A `Uint8Array` (a Buffer too) of at most `maxBytes` bytes (1 to 65,535). It is read as a new `Uint8Array`.
 *
 * @param maxBytes The most bytes: 1 to 65,535.
 * @returns The field.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming `max`.
 * @example
 * const Upload = record({ digest: bytes(32) });
 */
export function bytes(maxBytes: number): Field<Uint8Array> {
  const max = checkedMax('bytes', maxBytes);
  return made({
    type: `bytes(${max})`,
    kind: 'bytes',
    bytes: lengthBytes + max,
    accepts: `a Uint8Array of at most ${max} bytes`,
    typeOf: 'Uint8Array',
    check: () => 'true',
    write: (v, at) => `bytes.write(${v}, ${at.byte}, ${max})`,
    writeTells: true,
    read: (at) => `bytes.read(${at})`,
  });
}

/**
 * Any value that JSON can express in at most `maxBytes` (1 to 65,535) bytes of UTF-8. It is read with `JSON.parse`, so
 * a `Date` comes back as a string and `NaN` as null. A value without JSON (undefined, a function, a bigint, a circular
 * object, a `toJSON` that throws) is a TypeError that names the field, and a longer JSON text is a RangeError: such a
 * record is not pushed. A view parses the field anew each time it is read.
 *
 * @param options `maxBytes`: the most bytes of JSON in UTF-8, 1 to 65,535.
 * @returns The field. Its type is `T`, which is not checked.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming `maxBytes`.
 * @example
 * const Order = record({ extras: json<{ gift: boolean }>({ maxBytes: 256 }) });
 */
export function json<T>(options: { readonly maxBytes: number }): Field<T> {
  const max = new Options('json', options, ['maxBytes']).integer('maxBytes', 1, lengthMax);
  return made({
    type: `json(${max})`,
    kind: 'json',
    bytes: lengthBytes + max,
    accepts: `a value with at most ${max} bytes of JSON`,
    typeOf: 'JSON',
    prepare: (v) => `jsonText(${v})`,
    check: (v) => `${v} !== undefined`,
    write: (v, at) => `text.write(${v}, ${at.byte}, ${max})`,
    writeTells: true,
    read: (at) => `JSON.parse(text.read(${at}))`,
  });
}

/**
 * One of the given strings (1 to 255 different ones). One byte.
 *
 * @param choices 1 to 255 different strings.
 * @returns The field.
 * @throws TypeError (`ERR_SLUICE_OPTION`) for anything else.
 * @example
 * const Order = record({ channel: oneOf('web', 'app') });
 */
export function oneOf<const Choices extends readonly string[]>(...choices: Choices): Field<Choices[number]> {
  const valid =
    choices.every((choice) => typeof choice === 'string') && new Set(choices).size === choices.length;
  if (!valid || choices.length < 1 || choices.length > 255) {
    throw optionError('oneOf', '1 to 255 different strings', choices, true);
  }
  const list = stringify(choices);
  return made({
    type: `oneOf(${list.slice(1, -1)})`,
    kind: 'oneOf',
    choices: freeze(choices),
    bytes: 1,
    accepts: `one of ${choices.map(quoted).join(',')}`,
    typeOf: 'string',
    check: (v) => `${list}.includes(${v})`,
    write: (v, at) => `${at.element('Uint8')} = ${list}.indexOf(${v})`,
    read: (at) => `${list}[view.getUint8(${at})]`,
  });
}

const trace: Field<string> = made({
  type: 'traceContext',
  kind: 'traceContext',
  bytes: traceBytes,
  accepts: "'' or a trace context of version 00: `00-<trace-id>-<parent-id>-<flags>` in lower case",
  typeOf: 'string',
  check: (v) => `typeof ${v} === 'string'`,
  write: (v, at) => `trace.write(${v}, ${at.byte})`,
  writeTells: true,
  read: (at) => `trace.read(${at})`,
});

/**
 * The trace that a record belongs to, as the header `traceparent` of W3C Trace Context has it
 * (`00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`); '' if it belongs to none. It takes 25 bytes. Any other
 * string is an error; `traceparent()` makes a header of a request acceptable.
 *
 * @returns The field.
 * @throws Nothing.
 * @example
 * const Order = record({ orderId: u64, trace: traceContext() });
 */
export function traceContext(): Field<string> {
  return trace;
}

/** @internal Makes the field of a kind. `max`: the room of a text, of bytes or of JSON. `choices`: of a `oneOf`. */
export function fieldOf(kind: FieldKind, max: number, choices: readonly string[]): Field<unknown> {
  switch (kind) {
    case 'utf8':
      return utf8(max);
    case 'bytes':
      return bytes(max);
    case 'json':
      return json({ maxBytes: max });
    case 'oneOf':
      return oneOf(...choices);
    default:
      return plain[kind] as Field<unknown>;
  }
}
