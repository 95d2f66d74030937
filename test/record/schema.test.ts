import { inspect } from 'node:util';
import { bytes, type Field, oneOf, Queue, RecordType, record, u8, u16, u32, utf8 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';

describe('the name of a field', () => {
  const hostile = [
    "'; process.exit(); '",
    '"; process.exit(); "',
    '"]); process.exit(); ([""',
    '\u0024{process.exit()}',
    '*/ process.exit() /*',
    '\\"',
    '\n',
    '\u2028',
    '\ud800',
    '名前',
    '😀',
    'constructor',
    'prototype',
    'hasOwnProperty',
    'valueOf',
    'then',
    'get',
    '#private',
    '0',
    '-1',
    ' ',
    'record',
    'at',
    'v',
    'v0',
    'view',
    'bytes',
    'text',
    'fail',
    'position',
    'decode',
  ];

  it.each(hostile)('may be anything, such as %j', (name) => {
    const Row = record({ first: u8, [name]: u32, last: utf8(4) });
    const queue = Queue.create(Row, { capacity: 4 });
    const row = mistyped({ first: 1, [name]: 70_000, last: 'last' });
    queue.tryPush(row);
    queue.tryPush(row);
    expect(queue.tryPop()).toStrictEqual(row);
    const seen: unknown[] = [];
    queue.drain((view) => seen.push((view as Record<string, unknown>)[name], view.toObject()));
    expect(seen).toStrictEqual([70_000, row]);
    const error = thrown(() => queue.tryPush(mistyped({ first: 1, [name]: -1, last: '' })));
    expectError(error, 'ERR_SLUICE_FIELD', RangeError);
    expect(error.field).toBe(name);
  });

  it.each(['__proto__', 'toObject', ''])('may not be %j', (name) => {
    const fields = JSON.parse(`{ ${JSON.stringify(name)}: 0, "other": 0 }`) as Record<string, unknown>;
    for (const key of Object.keys(fields)) {
      Object.defineProperty(fields, key, { value: u8, enumerable: true });
    }
    expectError(
      thrown(() => record(mistyped(fields))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    expect(({} as Record<string, unknown>)['type']).toBeUndefined();
  });

  it('may be one of 500: a record may have many fields', () => {
    const fields = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, i % 2 ? u16 : u8]));
    const row = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, i % 256]));
    const queue = Queue.create(record(fields), { capacity: 2 });
    queue.tryPush(row);
    expect(queue.tryPop()).toEqual(row);
  });
});

describe('record', () => {
  it.each([undefined, null, 5, 'u8', {}, [], [u8], () => u8])(
    'refuses %s in place of its fields',
    (fields) => {
      expectError(
        thrown(() => record(mistyped(fields))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    },
  );

  it.each([undefined, null, 'u8', 8, utf8, {}])('refuses a field that is %s, by its name', (field) => {
    const error = thrown(() => record({ ok: u8, 'not a field': mistyped(field) }));
    expectError(error, 'ERR_SLUICE_OPTION', TypeError);
    expect(error.message).toContain('not a field');
  });

  it('takes no copy or imitation of a field: its properties would become code', () => {
    for (const likeness of [{ ...u8 }, Object.create(u8)]) {
      const error = thrown(() => record({ likeness }));
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toContain('likeness');
    }
  });

  it('does not change when the object that it was made of does', () => {
    const fields: Record<string, Field<number>> = { a: u8 };
    const Row = record(fields);
    fields['b'] = u8;
    expect(Object.keys(Row.fields)).toEqual(['a']);
    expect(Object.isFrozen(Row.fields)).toBe(true);
  });

  it('knows where its fields begin: each at a multiple of its size', () => {
    const Row = record({ a: u8, b: u32, c: u16 });
    expect(Row).toBeInstanceOf(RecordType);
    expect(Row.bytes).toBe(8);
    expect([Row.offsetOf('a'), Row.offsetOf('b'), Row.offsetOf('c'), Row.offsetOf('toString')]).toEqual([
      6,
      0,
      4,
      undefined,
    ]);
  });
});

describe('the parameter of a field type', () => {
  it.each([0, -1, 1.5, 65_536, Number.NaN, Infinity])(
    'is refused if out of range: utf8(%s), bytes(%s)',
    (max) => {
      for (const type of [utf8, bytes]) {
        expectError(
          thrown(() => type(max)),
          'ERR_SLUICE_OPTION',
          RangeError,
        );
      }
    },
  );

  it.each(['24', null, undefined, 24n])('is refused if it is no number: %s', (max) => {
    for (const type of [utf8, bytes]) {
      expectError(
        thrown(() => type(mistyped(max))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
  });

  it('is refused if the choices of oneOf are none, too many, alike, or no strings', () => {
    const many = Array.from({ length: 256 }, (_, i) => `${i}`);
    for (const choices of [[], many, ['a', 'b', 'a'], ['a', 1], [null]]) {
      expectError(
        thrown(() => oneOf(...(choices as string[]))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
  });
});

describe('two records', () => {
  it('are one schema if names, types and order are the same', () => {
    const A = record({ a: u8, b: utf8(4), c: oneOf('x', 'y') });
    const B = record({ a: u8, b: utf8(4), c: oneOf('x', 'y') });
    expect(A.schema).toBe(B.schema);
    const queue = Queue.create(A, { capacity: 1 });
    const other = Queue.attach(B, queue.handle);
    queue.tryPush({ a: 1, b: 'b', c: 'y' });
    expect(other.tryPop()).toEqual({ a: 1, b: 'b', c: 'y' });
  });

  const base = { a: u8, b: utf8(4), c: oneOf('x', 'y') };
  it.each<[string, Record<string, Field<never>>]>([
    ['a name', mistyped({ a: u8, B: utf8(4), c: oneOf('x', 'y') })],
    ['a type', mistyped({ a: u16, b: utf8(4), c: oneOf('x', 'y') })],
    ['a length', mistyped({ a: u8, b: utf8(5), c: oneOf('x', 'y') })],
    ['bytes for text', mistyped({ a: u8, b: bytes(4), c: oneOf('x', 'y') })],
    ['a choice', mistyped({ a: u8, b: utf8(4), c: oneOf('x', 'z') })],
    ['the order of choices', mistyped({ a: u8, b: utf8(4), c: oneOf('y', 'x') })],
    ['the order of fields', mistyped({ b: utf8(4), a: u8, c: oneOf('x', 'y') })],
    ['one field more', mistyped({ ...base, d: u8 })],
    ['one field less', mistyped({ a: u8, b: utf8(4) })],
    ['a name that spells out another schema', mistyped({ 'a":u8,"b': utf8(4), c: oneOf('x', 'y') })],
  ])('are two schemas if they differ in %s, and one cannot attach to a queue of the other', (_, fields) => {
    const queue = Queue.create(record(base), { capacity: 1 });
    const Other = record(fields);
    expect(Other.schema).not.toBe(queue.record.schema);
    const error = thrown(() => Queue.attach(Other, queue.handle));
    expectError(error, 'ERR_SLUICE_SCHEMA');
  });
});

describe('the view of a record', () => {
  const Row = record({ number: u32, text: utf8(8), blob: bytes(4) });
  const rows = Array.from({ length: 5 }, (_, number) => ({
    number,
    text: `row ${number}`,
    blob: Uint8Array.of(number),
  }));

  it('is one object, used again for each record; toObject() copies', () => {
    const queue = Queue.create(Row, { capacity: 8 });
    queue.tryPushMany(rows);
    const views = new Set<unknown>();
    const copies: unknown[] = [];
    queue.drain((view) => {
      views.add(view);
      copies.push(view.toObject());
    });
    expect(views.size).toBe(1);
    queue.tryPush({ number: 99, text: 'later', blob: Uint8Array.of(9) });
    queue.tryPop();
    expect(copies).toStrictEqual(rows);
  });

  it('is copied whole when it is spread, cloned, stringified, listed or shown', () => {
    const queue = Queue.create(Row, { capacity: 8 });
    queue.tryPushMany(rows);
    const copiers: Array<(view: object) => unknown> = [
      (view) => ({ ...view }),
      (view) => structuredClone(view),
      (view) => Object.assign({}, view),
      (view) => Object.fromEntries(Object.entries(view)),
      ({ ...rest }) => rest,
    ];
    const copies: unknown[] = [];
    const printed: string[] = [];
    queue.drain((view) => {
      copies.push(copiers[view.number]?.(view));
      printed.push(inspect(view), JSON.stringify(view));
    });
    queue.tryPush({ number: 99, text: 'later', blob: Uint8Array.of(9) });
    queue.tryPop();
    expect(copies).toStrictEqual(rows);
    expect(printed).toEqual(rows.flatMap((row) => [inspect(row), JSON.stringify(row)]));
  });

  it('of one queue is not that of another', () => {
    const queues = [1, 2, 3].map((number) => {
      const queue = Queue.create(Row, { capacity: 1 });
      queue.tryPush({ number, text: '', blob: new Uint8Array() });
      return queue;
    });
    const seen: number[] = [];
    queues[0]?.drain((first) => {
      queues[1]?.drain((second) => {
        queues[2]?.drain((third) => seen.push(first.number, second.number, third.number));
      });
    });
    expect(seen).toEqual([1, 2, 3]);
  });

  it('cannot be written to', () => {
    const queue = Queue.create(Row, { capacity: 8 });
    queue.tryPushMany(rows);
    queue.drain((view) => {
      expect(() => {
        (view as { number: number }).number = 7;
      }).toThrow(TypeError);
      expect(() => Object.assign(view, { other: 7 })).toThrow(TypeError);
    }, 1);
  });

  it('hands out byte strings of their own, not windows into shared memory', () => {
    const queue = Queue.create(Row, { capacity: 8 });
    queue.tryPushMany(rows.slice(0, 2));
    const blobs: Uint8Array[] = [];
    queue.drain((view) => blobs.push(view.blob));
    blobs[0]?.fill(77);
    expect(blobs[1]).toEqual(Uint8Array.of(1));
    expect(blobs[0]?.byteLength).toBe(blobs[0]?.buffer.byteLength);
  });
});
