// The interpreter of records checks the compiler: whatever the schema and the values, both must do the same.
// node:assert compares them, because expect() compares records with a field `constructor` by that field.
import { deepStrictEqual } from 'node:assert/strict';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  bool,
  bytes,
  type Field,
  f32,
  f64,
  i8,
  i16,
  i32,
  i64,
  json,
  oneOf,
  record,
  traceContext,
  u8,
  u16,
  u32,
  u53,
  u64,
  utf8,
} from 'sluice';
import { it } from 'vitest';
import { type Codec, failOf, layOut, memoryOf } from '../../dist/record/codec.js';
import { compile } from '../../dist/record/compile.js';
import { interpret } from '../../dist/record/interpret.js';
import { mistyped } from '../mistyped.js';
import { seed } from '../seed.js';

type Row = Record<string, unknown>;
type Fields = Record<string, Field<unknown>>;

const RECORDS = 3;

/** Returns a codec over a buffer that holds `RECORDS` records, and is filled with 0xee. Its home is the second one. */
function over(make: typeof compile, fields: Fields) {
  const layout = layOut(fields);
  const buffer = new ArrayBuffer(layout.bytes * RECORDS);
  const content = new Uint8Array(buffer).fill(0xee);
  return {
    codec: make<Row>(layout)(memoryOf(buffer, layout.bytes), failOf(layout.fields)),
    content,
    bytes: layout.bytes,
  };
}

/** Encodes a record: by `encode` if `at` is the codec's home. */
function put({ codec, bytes }: ReturnType<typeof over>, row: Row, at: number): void {
  if (at === bytes) codec.encode(row);
  else codec.encodeAt(row, at);
}

/** Returns the outcome of an action: its value, or the error with all that a caller can see of it. */
function outcomeOf(act: () => unknown): unknown {
  try {
    return { value: act() };
  } catch (error) {
    if (!(error instanceof Error)) return { thrown: error };
    const { name, message, constructor: type } = error;
    return { name, message, type, own: { ...error } };
  }
}

/** Looks in many ways at the record that a codec shows, and returns what it sees. */
function looksOf(codec: Codec<Row>): unknown[] {
  const view = codec.view();
  const descriptors = Object.entries(Object.getOwnPropertyDescriptors(view));
  return [
    codec.view() === view,
    view.toObject(),
    { ...view },
    outcomeOf(() => JSON.stringify(view)), // throws for a bigint
    inspect(view),
    structuredClone(view),
    Object.isFrozen(view),
    Object.keys(view),
    descriptors.map(([name, { get, set, value, writable, enumerable, configurable }]) => [
      name,
      [typeof get, set, value, writable, enumerable, configurable],
    ]),
    Reflect.ownKeys(Object.getPrototypeOf(view)),
    Object.getPrototypeOf(Object.getPrototypeOf(view)) === Object.prototype,
  ];
}

const whole = (min: number, max: number) => fc.integer({ min, max });
const big = (min: bigint, max: bigint) => fc.bigInt({ min, max });
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 80 }), fc.constant('x\ud800'));
const jsonable = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(undefined, 1n, Symbol('s'), () => 1, { toJSON: () => undefined }, new Date(0)),
);

/** Fields of each type, and values for them, some of which do not fit. */
const types: Array<[fc.Arbitrary<Field<unknown>>, fc.Arbitrary<unknown>]> = [
  [fc.constant(u8), whole(-2, 257)],
  [fc.constant(u16), whole(-2, 65_537)],
  [fc.constant(u32), fc.oneof(whole(-2, 2), fc.double({ min: -2, max: 2 ** 33 }), fc.maxSafeNat())],
  [fc.constant(i8), whole(-130, 129)],
  [fc.constant(i16), whole(-32_770, 32_769)],
  [fc.constant(i32), fc.oneof(whole(-(2 ** 31), 2 ** 31 - 1), fc.maxSafeInteger())],
  [fc.constant(u53), fc.oneof(fc.maxSafeInteger(), fc.double(), whole(-2, 2))],
  [fc.constant(f32), fc.oneof(fc.float(), fc.double())],
  [fc.constant(f64), fc.double()],
  [fc.constant(u64), big(-2n, 2n ** 64n + 1n)],
  [fc.constant(i64), big(-(2n ** 63n) - 2n, 2n ** 63n + 1n)],
  [fc.constant(bool), fc.boolean()],
  [
    fc.constant(traceContext()),
    fc.oneof(
      fc.constantFrom('', '00-', 'x'.repeat(55)),
      fc
        .tuple(
          fc.constantFrom('00', '01'),
          ...[32, 16, 2].map((n) =>
            fc.string({ minLength: n, maxLength: n, unit: fc.constantFrom('0', 'f') }),
          ),
        )
        .map((parts) => parts.join('-')),
    ),
  ],
  [whole(1, 70).map(utf8), text],
  [whole(1, 70).map(bytes), fc.uint8Array({ maxLength: 80 })],
  [whole(1, 70).map((maxBytes) => json({ maxBytes })), jsonable],
  [fc.constant(oneOf('red', 'green', '__proto__', '\ud800')), fc.constantFrom('red', 'green', '__proto__')],
];

/** Values at the edges of the field types, and values of every type of JavaScript. */
const edges: unknown[] = [
  ...[-0, 0, 1, 0.5, -0.5, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE],
  ...[7, 8, 15, 16, 31, 32, 53].flatMap((bits) => [2 ** bits - 1, 2 ** bits, -(2 ** bits), -(2 ** bits) - 1]),
  ...[3.4028235677973366e38, 3.40282356779733e38, -3.4028235677973366e38, -3.40282356779733e38],
  ...[-1n, 0n, 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 63n), -(2n ** 63n) - 1n],
  ...[
    undefined,
    null,
    true,
    false,
    '',
    'red',
    'blue',
    'a'.repeat(8),
    'a'.repeat(9),
    'x\ud800',
    'é'.repeat(4),
  ],
  ...[[], {}, Symbol('s'), () => 1, Object(1), Object('a'), Object(true), new Date(0), Buffer.from('ab')],
  ...[
    new Uint8Array(8),
    new Uint8Array(9),
    Object.create(Uint8Array.prototype),
    new DataView(new ArrayBuffer(2)),
  ],
];
const everyType: ReadonlyArray<Field<unknown>> = [
  ...[u8, u16, u32, i8, i16, i32, u53, f32, f64, u64, i64, bool],
  ...[utf8(8), bytes(8), json({ maxBytes: 8 }), oneOf('red', 'green'), traceContext()],
];
const odd = fc.oneof(fc.constantFrom(...edges), fc.anything());

const name = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('constructor', 'valueOf', 'then', '0', '7', '-1', 'view', 'at', 'v0', 'record', 'fail'),
  )
  .filter((text) => !['', '__proto__', 'toObject'].includes(text));

const column = fc
  .constantFrom(...types)
  .chain(([field, value]) =>
    fc.record({ name, field, values: fc.array(value, { minLength: RECORDS, maxLength: RECORDS }) }),
  );
const columns = fc.uniqueArray(column, { minLength: 1, maxLength: 12, selector: (one) => one.name });

function fieldsOf(list: Array<{ name: string; field: Field<unknown> }>): Fields {
  return record(Object.fromEntries(list.map(({ name, field }) => [name, field]))).fields;
}

function rowOf(list: Array<{ name: string; values: unknown[] }>, index: number): Row {
  return Object.fromEntries(list.map(({ name, values }) => [name, values[index]]));
}

it('a compiled codec and an interpreted one write the same bytes, and read the same records from them', () => {
  fc.assert(
    fc.property(columns, (list) => {
      const fields = fieldsOf(list);
      const compiled = over(compile, fields);
      const interpreted = over(interpret, fields);
      for (let i = 0; i < RECORDS; i++) {
        const at = i * compiled.bytes;
        const row = rowOf(list, i);
        const outcome = outcomeOf(() => put(compiled, row, at));
        deepStrictEqual(
          outcomeOf(() => put(interpreted, row, at)),
          outcome,
        );
        deepStrictEqual(interpreted.content, compiled.content);
        if (!('value' in (outcome as object))) continue;
        const record = compiled.codec.decode(at);
        const again = interpreted.codec.decode(at);
        deepStrictEqual(again, record);
        deepStrictEqual(Object.getOwnPropertyDescriptors(again), Object.getOwnPropertyDescriptors(record));
        deepStrictEqual(Object.keys(again), Object.keys(record)); // in the same order
        compiled.codec.move(at);
        interpreted.codec.move(at);
        deepStrictEqual(looksOf(interpreted.codec), looksOf(compiled.codec));
      }
    }),
    { seed, numRuns: 600 },
  );
});

it.each(everyType)('both codecs hold the same at the edges of $type', (field) => {
  for (const value of edges) {
    const compiled = over(compile, { before: u8, field });
    const interpreted = over(interpret, { before: u8, field });
    const row = { before: 1, field: value };
    const outcome = outcomeOf(() => compiled.codec.encode(row));
    deepStrictEqual(
      outcomeOf(() => interpreted.codec.encode(row)),
      outcome,
    );
    deepStrictEqual(interpreted.content, compiled.content);
  }
});

it('both codecs refuse the same values with the same errors, and leave the same behind', () => {
  const places = fc.record({ column: fc.nat(), row: fc.nat({ max: RECORDS - 1 }), value: odd });
  fc.assert(
    fc.property(columns, fc.array(places, { minLength: 1, maxLength: 3 }), (list, bad) => {
      const fields = fieldsOf(list);
      const rows = Array.from({ length: RECORDS }, (_, i) => rowOf(list, i));
      for (const { column, row, value } of bad) {
        (rows[row] as Row)[list[column % list.length]?.name as string] = value;
      }
      const compiled = over(compile, fields);
      const interpreted = over(interpret, fields);
      const outcome = outcomeOf(() => compiled.codec.encodeMany(rows, 0, RECORDS, 0, compiled.bytes));
      deepStrictEqual(
        outcomeOf(() => interpreted.codec.encodeMany(rows, 0, RECORDS, 0, interpreted.bytes)),
        outcome,
      );
      deepStrictEqual(interpreted.content, compiled.content);
      for (const one of [null, undefined, 1, 'a', () => 1]) {
        const refusal = outcomeOf(() => compiled.codec.encode(mistyped(one)));
        deepStrictEqual(
          outcomeOf(() => interpreted.codec.encode(mistyped(one))),
          refusal,
        );
      }
    }),
    { seed, numRuns: 600 },
  );
});

it('both codecs read a record in the same order, each property once, before anything of it is written', () => {
  fc.assert(
    fc.property(columns, fc.nat(), (list, failing) => {
      const fields = fieldsOf(list);
      const [compiled = [], interpreted = []] = [compile, interpret].map((make) => {
        const { codec, content, bytes } = over(make, fields);
        const seen: unknown[] = [];
        const inner = rowOf(list, 1);
        const rows = [0, 2].map((index) =>
          Object.defineProperties(
            {},
            Object.fromEntries(
              list.map(({ name, values }, i) => [
                name,
                {
                  get() {
                    seen.push(name, content.slice());
                    // A getter may push another record through the same buffer.
                    if (i === 0) seen.push(outcomeOf(() => codec.encodeAt(inner, 0)));
                    if (i === failing) throw new RangeError(`no ${name}`);
                    const value = values[index];
                    if (!fields[name]?.type.startsWith('json')) return value;
                    return { toJSON: () => seen.push('toJSON', content.slice()) };
                  },
                },
              ]),
            ),
          ),
        );
        const outcomes = [
          outcomeOf(() => codec.encodeAt(rows[0] as Row, 0)),
          outcomeOf(() => codec.encodeMany(rows as Row[], 0, 2, 0, bytes)),
          outcomeOf(() => codec.encodeMany([...rows, inner] as Row[], 1, 2, bytes, bytes)),
        ];
        return [seen, outcomes, content];
      });
      deepStrictEqual(interpreted, compiled);
    }),
    { seed, numRuns: 200 },
  );
});
