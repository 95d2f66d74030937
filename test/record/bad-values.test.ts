import { MessageChannel } from 'node:worker_threads';
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
  oneOf,
  Queue,
  record,
  traceContext,
  u8,
  u16,
  u32,
  u53,
  u64,
  utf8,
} from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';

const notNumbers = ['1', 1n, true, null, undefined, [], [1], {}, Symbol('1'), () => 1, Object(1)];
const notWhole = [Number.NaN, Infinity, -Infinity, 0.5, -0.5, 1e300];
const lonely = ['\ud800', 'ab\udc00', '\udfff\ud800', `${'x'.repeat(60)}\ud83d`, '\ud83d x'];

const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** A Uint8Array whose memory was transferred to a message port, so that its length is 0. */
function detached(): Uint8Array {
  const array = new Uint8Array(4);
  new MessageChannel().port1.postMessage(array.buffer, [array.buffer]);
  return array;
}

/** A Uint8Array of 20 bytes whose `length` is 2. */
function lying(): Uint8Array {
  return Object.defineProperty(new Uint8Array(20), 'length', { value: 2 });
}

class Short extends Uint8Array {
  override get length(): number {
    return 1;
  }
}

/** For each type: values of the wrong type, and values that the type cannot hold. */
const types: Record<string, { field: Field<unknown>; wrong: unknown[]; outside: unknown[]; good: unknown }> =
  {
    u8: { field: u8, wrong: notNumbers, outside: [...notWhole, -1, 256, 2 ** 32], good: 1 },
    u16: { field: u16, wrong: notNumbers, outside: [...notWhole, -1, 65_536, 2 ** 32], good: 1 },
    u32: { field: u32, wrong: notNumbers, outside: [...notWhole, -1, 2 ** 32, -(2 ** 32)], good: 1 },
    i8: { field: i8, wrong: notNumbers, outside: [...notWhole, -129, 128, 2 ** 32], good: 1 },
    i16: { field: i16, wrong: notNumbers, outside: [...notWhole, -32_769, 32_768, 2 ** 32], good: 1 },
    i32: { field: i32, wrong: notNumbers, outside: [...notWhole, -(2 ** 31) - 1, 2 ** 31, 2 ** 32], good: 1 },
    u53: { field: u53, wrong: notNumbers, outside: [...notWhole, -1, 2 ** 53, 2 ** 64], good: 1 },
    f32: {
      field: f32,
      wrong: notNumbers,
      outside: [Number.NaN, 3.4028235677973366e38, -3.4028235677973366e38, 1e39, Number.MAX_VALUE],
      good: 1,
    },
    f64: { field: f64, wrong: notNumbers, outside: [Number.NaN], good: 1 },
    u64: {
      field: u64,
      wrong: [1, '1', null, undefined, true, Object(1n)],
      outside: [-1n, 2n ** 64n, 2n ** 100n],
      good: 1n,
    },
    i64: {
      field: i64,
      wrong: [1, '1', null, undefined, false],
      outside: [-(2n ** 63n) - 1n, 2n ** 63n, 2n ** 64n, -(2n ** 64n)],
      good: 1n,
    },
    bool: { field: bool, wrong: [0, 1, 'true', null, undefined, {}, Object(true)], outside: [], good: true },
    utf8: {
      field: utf8(24),
      wrong: [1, null, undefined, [], ['a'], {}, Symbol('a'), Object('a'), Buffer.from('a')],
      outside: [
        'a'.repeat(25),
        'é'.repeat(13),
        `${'a'.repeat(23)}é`,
        '😀'.repeat(7),
        'a'.repeat(1e6),
        ...lonely,
      ],
      good: 'a',
    },
    'utf8, long': {
      field: utf8(100),
      wrong: [1, null],
      outside: ['a'.repeat(101), '€'.repeat(34), `${'a'.repeat(99)}é`, ...lonely],
      good: 'a',
    },
    bytes: {
      field: bytes(8),
      wrong: [
        1,
        '12',
        null,
        undefined,
        [1, 2],
        {},
        new ArrayBuffer(4),
        new DataView(new ArrayBuffer(4)),
        new Uint16Array(2),
        new Uint8ClampedArray(2),
        Object.create(Uint8Array.prototype),
        new Proxy(new Uint8Array(2), {}),
      ],
      outside: [new Uint8Array(9), Buffer.alloc(9), detached(), lying(), new Short(20)],
      good: Uint8Array.of(1),
    },
    traceContext: {
      field: traceContext(),
      wrong: [0, null, undefined, ['00'], {}, Object(trace)],
      outside: [
        ...[' ', '00', `${trace} `, ` ${trace}`, trace.slice(1), `${trace}-01`, trace.toUpperCase()],
        ...[trace.replace('00-', '01-'), trace.replace('00-', 'ff-'), trace.replaceAll('-', '_')],
        ...[trace.replace('4bf9', '4bg9'), trace.replace('-01', '-0x'), trace.replace('f0', '\u0660\u0660')],
        trace.replace(/-\w{32}-/, `-${'0'.repeat(32)}-`),
        trace.replace(/-\w{16}-/, `-${'0'.repeat(16)}-`),
      ],
      good: trace,
    },
    oneOf: {
      field: oneOf('red', 'green'),
      wrong: [0, 1, null, undefined, ['red'], Object('red')],
      outside: ['', 'blue', 'Red', 'red ', 'toString', 'length', '__proto__'],
      good: 'red',
    },
  };

const cases = Object.entries(types).flatMap(([name, { field, wrong, outside, good }]) => [
  ...wrong.map((value) => ({ name, field, value, good, kind: TypeError })),
  ...outside.map((value) => ({ name, field, value, good, kind: RangeError })),
]);

/** Returns a short text that shows the value in the name of a test. */
function shown(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.slice(0, 12)) + (value.length > 12 ? `x${value.length}` : '');
  if (typeof value === 'object' && value !== null) return Object.prototype.toString.call(value);
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

describe('a bad value', () => {
  it.each(cases.map((one) => [one.name, shown(one.value), one.kind.name, one] as const))(
    'for %s: %s is a %s that names the field, and adds nothing',
    (_name, _shown, _kind, { field, value, good, kind }) => {
      const Row = record({ first: u8, 'the field': field, last: u32 });
      const queue = Queue.create(Row, { capacity: 4 });
      queue.tryPush({ first: 1, 'the field': good, last: 2 ** 32 - 1 });
      const error = thrown(() => queue.tryPush({ first: 2, 'the field': value, last: 7 }));
      expectError(error, 'ERR_SLUICE_FIELD', kind);
      expect(error.field).toBe('the field');
      expect(error.message).toMatch(/^field "the field": expected .+, got .+/);
      expect(queue.stats()).toMatchObject({ depth: 1, pushed: 1, rejected: 0 });
      expect(queue.popMany(4)).toEqual([{ first: 1, 'the field': good, last: 2 ** 32 - 1 }]);
    },
  );

  it('is found for each field of a record, and a missing field is one', () => {
    const Row = record({ a: u8, b: u8, c: u8 });
    const queue = Queue.create(Row, { capacity: 4 });
    for (const name of ['a', 'b', 'c'] as const) {
      const { [name]: _left, ...rest } = { a: 1, b: 2, c: 3 };
      const error = thrown(() => queue.tryPush(mistyped(rest)));
      expectError(error, 'ERR_SLUICE_FIELD', TypeError);
      expect(error.field).toBe(name);
      expect(error.message).toContain('got undefined');
    }
    expect(queue.depth).toBe(0);
  });

  it('is shown in the message, but only as far as a message should go', () => {
    const queue = Queue.create(record({ text: utf8(8), blob: bytes(2) }), { capacity: 1 });
    const long = thrown(() => queue.tryPush({ text: 'x'.repeat(100_000), blob: new Uint8Array(1) }));
    expect(long.message).toBe(
      `field "text": expected a well-formed string of at most 8 bytes of UTF-8, got "${'x'.repeat(40)}..."`,
    );
    const blob = thrown(() => queue.tryPush({ text: '', blob: new Uint8Array(70_000) }));
    expect(blob.message).toBe(
      'field "blob": expected a Uint8Array of at most 2 bytes, got a Uint8Array of 70000 bytes',
    );
  });

  it.each([null, undefined, 1, 'a', true, Symbol('a'), () => ({})])(
    'in place of a whole record is refused: %s',
    (value) => {
      const queue = Queue.create(record({ a: u8 }), { capacity: 4 });
      expectError(
        thrown(() => queue.tryPush(mistyped(value))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
      expectError(
        thrown(() => queue.tryPushMany([{ a: 1 }, mistyped(value)])),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
      expect(queue.depth).toBe(0);
    },
  );
});

describe('tryPushMany', () => {
  it.each([1, 64, 65, 200])('names the record of a list of %i that has the bad value', (length) => {
    const queue = Queue.create(record({ a: u8 }), { capacity: 256 });
    for (const bad of new Set([0, length >> 1, length - 1])) {
      const list: Array<{ a: number } | null> = Array.from({ length }, () => ({ a: 1 }));
      list[bad] = { a: 256 };
      const error = thrown(() => queue.tryPushMany(list as { a: number }[]));
      expectError(error, 'ERR_SLUICE_FIELD', RangeError);
      expect(error).toMatchObject({ field: 'a', index: bad });
      expect(error.message).toBe(`list[${bad}]: field "a": expected a whole number from 0 to 255, got 256`);
      expect(error.stack).toContain(error.message);
      list[bad] = null;
      const none = thrown(() => queue.tryPushMany(list as { a: number }[]));
      expectError(none, 'ERR_SLUICE_OPTION', TypeError);
      expect(none).toMatchObject({ index: bad });
      expect(none.message).toBe(`list[${bad}]: record: expected an object with its fields, got null`);
    }
    expect(queue.depth).toBe(0);
  });

  it.each([2, 64, 65, 200])(
    'from within a getter of its own list, of %i, is refused; nothing is added',
    (length) => {
      const queue = Queue.create(record({ a: u8 }), { capacity: 256 });
      const list = Array.from({ length }, () => ({ a: 1 }));
      const nested = {
        get a() {
          return queue.tryPushMany([{ a: 2 }]);
        },
      };
      list[length - 1] = nested;
      expectError(
        thrown(() => queue.tryPushMany(list)),
        'ERR_SLUICE_REENTRANT',
        Error,
      );
      expect(queue.depth).toBe(0);
    },
  );

  const Row = record({ number: u32, text: utf8(8) });
  const rows = (count: number) =>
    Array.from({ length: count }, (_, number) => ({ number, text: `row ${number}` }));

  it.each([0, 1, 62, 63, 64, 65, 127, 128, 199])(
    'adds nothing if the value at index %i of 200 is bad',
    (index) => {
      const queue = Queue.create(Row, { capacity: 1_000 });
      queue.tryPush({ number: 7, text: 'first' });
      const list = rows(200);
      list[index] = { number: index, text: '\ud800' };
      const error = thrown(() => queue.tryPushMany(list));
      expectError(error, 'ERR_SLUICE_FIELD', RangeError);
      expect(error.field).toBe('text');
      expect(queue.stats()).toMatchObject({ depth: 1, pushed: 1, rejected: 0 });
      expect(queue.tryPushMany(rows(3))).toBe(3);
      expect(queue.popMany(9)).toEqual([{ number: 7, text: 'first' }, ...rows(3)]);
    },
  );

  it('finds a bad value even where the queue has no room for it', () => {
    const queue = Queue.create(Row, { capacity: 1 });
    const list = [...rows(150), { number: -1, text: '' }];
    expectError(
      thrown(() => queue.tryPushMany(list)),
      'ERR_SLUICE_FIELD',
      RangeError,
    );
    expect(queue.depth).toBe(0);
  });
});

describe('a getter of a record', () => {
  const Row = record({ a: u8, b: u8, c: u8 });

  it('that throws passes its error on, and nothing is added', () => {
    const queue = Queue.create(Row, { capacity: 4 });
    const failure = new Error('no value today');
    const hostile = {
      a: 1,
      b: 2,
      get c(): number {
        throw failure;
      },
    };
    expect(thrown(() => queue.tryPush(hostile))).toBe(failure);
    expect(thrown(() => queue.tryPushMany([{ a: 1, b: 1, c: 1 }, hostile]))).toBe(failure);
    expect(queue.depth).toBe(0);
  });

  it('that pushes another record to the same queue does not mix the two', () => {
    const queue = Queue.create(Row, { capacity: 4 });
    const outer = {
      a: 1,
      get b(): number {
        queue.tryPush({ a: 7, b: 8, c: 9 });
        return 2;
      },
      c: 3,
    };
    queue.tryPush(outer);
    expect(queue.popMany(4)).toEqual([
      { a: 7, b: 8, c: 9 },
      { a: 1, b: 2, c: 3 },
    ]);
  });
});
