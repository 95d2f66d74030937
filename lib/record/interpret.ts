/**
 * Makes a codec without generating code: the codec goes through the fields of its schema at every call. It is slower
 * than a codec of compile.ts, and otherwise behaves as that codec does.
 */
import { isInteger, isSafeInteger } from '../input/index.js';
import type { Codec, CodecFactory, CodecMemory, Layout, RecordView } from './codec.js';
import { type Field, lengthBytes, type NumberKind } from './fields.js';
import { jsonText } from './text-codec.js';

/** The functions as they were when sluice was loaded: see codec.ts. */
const { defineProperty: define, freeze, keys } = Object;
const { fround } = Math;
const { isFinite: isPlain } = Number;
const inspect = Symbol.for('nodejs.util.inspect.custom');

/** How the values of one field are written and read. */
interface Access {
  /** Returns what `write` gets in place of the value; undefined if the value has the wrong type. */
  readonly prepare: ((value: unknown) => unknown) | undefined;
  /** Writes `value` at `at`. Returns false if the field cannot hold it. */
  readonly write: (memory: CodecMemory, at: number, value: unknown) => boolean;
  readonly read: (memory: CodecMemory, at: number) => unknown;
}

interface Step extends Access {
  readonly name: string;
  readonly offset: number;
}

type Values = Record<string, unknown>;

export function interpret<T>({ fields, offsets }: Layout): CodecFactory<T> {
  const names = keys(fields);
  // newList() returns an array, and newRecord() an object, with an own property for each field, in the order of the
  // fields. An assignment to an own property calls no setter of a prototype, so no setter sees the value.
  const newList = (): unknown[] => keys(fields);
  const blank = { ...fields }; // V8 copies an object faster if it is not frozen
  const newRecord = (): Values => ({ ...blank });
  const steps = newList() as Step[];
  let isPrepared = false;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    const { prepare, write, read } = accessOf(fields[name] as Field<unknown>);
    if (prepare !== undefined) isPrepared = true;
    steps[i] = { name, offset: offsets[name] as number, prepare, write, read };
  }

  return (memory, fail) => {
    function encodeAt(record: T, at: number): void {
      if (typeof record !== 'object' || record === null) throw fail('', record);
      // Reads all values before it writes: a getter or toJSON of the record may push another record through the same
      // buffer.
      const values = newList();
      const prepared = isPrepared ? newList() : values;
      for (let i = 0; i < steps.length; i++) {
        const { name, prepare } = steps[i] as Step;
        const value = (record as Values)[name];
        values[i] = value;
        prepared[i] = prepare === undefined ? value : prepare(value);
      }
      for (let i = 0; i < steps.length; i++) {
        const { name, offset, write } = steps[i] as Step;
        const value = prepared[i];
        if (!write(memory, at + offset, value)) throw fail(name, values[i], value);
      }
    }

    function encode(record: T): void {
      encodeAt(record, memory.home);
    }

    function encodeMany(list: readonly T[], first: number, count: number, at: number, apart: number): void {
      for (let i = count - 1; i >= 0; i--) encodeAt(list[first + i] as T, at + i * apart);
    }

    function decode(at: number): T {
      const record = newRecord();
      for (let i = 0; i < steps.length; i++) {
        const { name, offset, read } = steps[i] as Step;
        record[name] = read(memory, at + offset);
      }
      return record as T;
    }

    let shown: RecordView<T> | undefined;
    let shownAt = 0;
    function view(): RecordView<T> {
      shown ??= viewOf(({ read, offset }) => read(memory, shownAt + offset));
      return shown;
    }

    /** Makes a view. The fields are own properties, so that a copy of the view has them. */
    function viewOf(read: (step: Step) => unknown): RecordView<T> {
      const object = {
        __proto__: {
          toObject: () => decode(shownAt),
          [inspect]: () => decode(shownAt),
        },
      };
      for (let i = 0; i < steps.length; i++) {
        const step = steps[i] as Step;
        define(object, step.name, { __proto__: null, get: () => read(step), enumerable: true } as object);
      }
      return freeze(object) as unknown as RecordView<T>;
    }

    const move = (at: number): void => {
      shownAt = at;
    };
    return { encode, encodeAt, encodeMany, decode, view, move } satisfies Codec<T>;
  };
}

function accessOf(field: Field<unknown>): Access {
  const maxBytes = field.bytes - lengthBytes;
  switch (field.kind) {
    case 'u8':
      return number('Uint8', whole(0, 0xff));
    case 'u16':
      return number('Uint16', whole(0, 0xffff));
    case 'u32':
      return number('Uint32', whole(0, 0xffff_ffff));
    case 'i8':
      return number('Int8', whole(-0x80, 0x7f));
    case 'i16':
      return number('Int16', whole(-0x8000, 0x7fff));
    case 'i32':
      return number('Int32', whole(-0x8000_0000, 0x7fff_ffff));
    case 'u53': {
      const { prepare, write, read } = number('Float64', (value) => isSafeInteger(value) && value >= 0);
      // -0 is written as 0.
      return { prepare, write: (memory, at, value) => write(memory, at, value === 0 ? 0 : value), read };
    }
    case 'f32':
      // The field cannot hold a finite number that would be rounded to infinity.
      return number(
        'Float32',
        (value) => isPlain(fround(value)) || value === Infinity || value === -Infinity,
      );
    case 'f64':
      return number('Float64', (value) => isPlain(value) || value === Infinity || value === -Infinity);
    case 'u64':
      return bigint('BigUint64', 0n, 0xffff_ffff_ffff_ffffn);
    case 'i64':
      return bigint('BigInt64', -0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn);
    case 'bool':
      return indexOf([false, true]);
    case 'oneOf':
      return indexOf(field.choices as readonly string[]);
    case 'utf8':
      return {
        prepare: undefined,
        write: ({ text }, at, value) => typeof value === 'string' && text.write(value, at, maxBytes),
        read: ({ text }, at) => text.read(at),
      };
    case 'bytes':
      return {
        prepare: undefined,
        write: ({ bytes }, at, value) => bytes.write(value, at, maxBytes),
        read: ({ bytes }, at) => bytes.read(at),
      };
    case 'traceContext':
      return {
        prepare: undefined,
        write: ({ trace }, at, value) => typeof value === 'string' && trace.write(value, at),
        read: ({ trace }, at) => trace.read(at),
      };
    case 'json':
      return {
        prepare: jsonText,
        write: ({ text }, at, value) => typeof value === 'string' && text.write(value, at, maxBytes),
        read: ({ text }, at) => JSON.parse(text.read(at)),
      };
  }
}

function whole(min: number, max: number): (value: number) => boolean {
  return (value) => isInteger(value) && value >= min && value <= max;
}

function number(kind: NumberKind, holds: (value: number) => boolean): Access {
  return element(kind, (value) => typeof value === 'number' && holds(value));
}

function bigint(kind: NumberKind, min: bigint, max: bigint): Access {
  return element(kind, (value) => typeof value === 'bigint' && value >= min && value <= max);
}

/** The methods of a DataView. Those for numbers of one byte lack the last parameter. */
type Elements = Record<`get${NumberKind}`, (at: number, isLittleEndian: boolean) => unknown> &
  Record<`set${NumberKind}`, (at: number, value: unknown, isLittleEndian: boolean) => void>;

function element(kind: NumberKind, holds: (value: unknown) => boolean): Access {
  const get = `get${kind}` as const;
  const set = `set${kind}` as const;
  return {
    prepare: undefined,
    write({ view }, at, value) {
      if (!holds(value)) return false;
      (view as unknown as Elements)[set](at, value, true);
      return true;
    },
    read: ({ view }, at) => (view as unknown as Elements)[get](at, true),
  };
}

/** Writes and reads a choice as one byte: its index in `choices`. */
function indexOf(choices: readonly unknown[]): Access {
  return {
    prepare: undefined,
    write({ view }, at, value) {
      for (let i = 0; i < choices.length; i++) {
        if (choices[i] !== value) continue;
        view.setUint8(at, i);
        return true;
      }
      return false;
    },
    read: ({ view }, at) => choices[view.getUint8(at)],
  };
}
