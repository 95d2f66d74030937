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
  oneOf,
  Queue,
  record,
  u8,
  u16,
  u32,
  u53,
  u64,
  utf8,
} from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';

/** Pushes a record with `value` into a queue, and returns the value as it comes out. */
function through<T>(field: Field<T>, value: T): T {
  const queue = Queue.create(record({ before: u8, it: field, after: u8 }), { capacity: 1 });
  expect(queue.tryPush({ before: 0xaa, it: value, after: 0x55 })).toBe(true);
  const { before, it: popped, after } = queue.tryPop() as { before: number; it: T; after: number };
  expect([before, after], 'the neighbours').toEqual([0xaa, 0x55]);
  return popped;
}

describe('a field', () => {
  it.each<[string, Field<number>, number[]]>([
    ['u8', u8, [0, 1, 127, 128, 255]],
    ['u16', u16, [0, 255, 256, 32_768, 65_535]],
    ['u32', u32, [0, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]],
    ['i8', i8, [-128, -1, 0, 127]],
    ['i16', i16, [-32_768, -1, 0, 32_767]],
    ['i32', i32, [-(2 ** 31), -1, 0, 2 ** 31 - 1]],
    ['u53', u53, [0, 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]],
    [
      'f32',
      f32,
      [-0, Math.fround(0.1), 2 ** -149, 3.4028234663852886e38, -3.4028234663852886e38, Infinity, -Infinity],
    ],
    ['f64', f64, [-0, 0.1, Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE, Infinity, -Infinity]],
  ])('%s gives back the numbers at both ends of its range', (_, field, values) => {
    for (const value of values) expect(through(field, value)).toBe(value);
  });

  it.each<[string, Field<bigint>, bigint[]]>([
    ['u64', u64, [0n, 1n, 2n ** 32n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]],
    ['i64', i64, [-(2n ** 63n), -1n, 0n, 2n ** 63n - 1n]],
  ])('%s gives back the bigints at both ends of its range', (_, field, values) => {
    for (const value of values) expect(through(field, value)).toBe(value);
  });

  it.each([
    ['u8', u8],
    ['u16', u16],
    ['u32', u32],
    ['i8', i8],
    ['i16', i16],
    ['i32', i32],
    ['u53', u53],
  ] as const)('%s takes -0 for 0', (_, field) => {
    expect(through(field, -0)).toBe(0);
  });

  it('f32 rounds to the nearest 32-bit float, and never a finite number to infinity', () => {
    expect(through(f32, 0.1)).toBe(Math.fround(0.1));
    expect(through(f32, 3.40282356779733e38)).toBe(3.4028234663852886e38);
  });

  it('bool gives back true and false', () => {
    expect([through(bool, true), through(bool, false)]).toEqual([true, false]);
  });

  it('utf8 gives back strings up to its length in bytes, whatever they are made of', () => {
    const field = utf8(24);
    for (const value of [
      '',
      'a'.repeat(24),
      'é'.repeat(12),
      '€'.repeat(8),
      '😀'.repeat(6),
      '\0',
      'a\0b',
      '\ufeffa',
    ]) {
      expect(through(field, value)).toBe(value);
    }
    const long = utf8(65_535);
    for (const value of [
      'x'.repeat(48),
      'x'.repeat(49),
      `${'x'.repeat(60)}é`,
      'y'.repeat(65_535),
      '€'.repeat(21_845),
    ]) {
      expect(through(long, value)).toBe(value);
    }
  });

  it('bytes gives back a fresh Uint8Array of what it was given, Buffers and parts of buffers included', () => {
    const source = Uint8Array.from({ length: 40 }, (_, i) => i);
    for (const value of [
      new Uint8Array(0),
      source.subarray(3, 35),
      Buffer.from(source.buffer, 8, 4),
      Buffer.from('é'),
    ]) {
      const popped = through(bytes(32), value);
      expect(popped).toBeInstanceOf(Uint8Array);
      expect(Buffer.isBuffer(popped)).toBe(false);
      expect([...popped]).toEqual([...value]);
      expect(popped.buffer).not.toBe(value.buffer);
    }
    expect(through(bytes(65_535), new Uint8Array(65_535).fill(7))).toEqual(new Uint8Array(65_535).fill(7));
  });

  it('bytes takes a Uint8Array over shared memory and one of a subclass', () => {
    class Digest extends Uint8Array {}
    expect(through(bytes(4), new Uint8Array(new SharedArrayBuffer(3)).fill(9))).toEqual(
      Uint8Array.of(9, 9, 9),
    );
    expect(through(bytes(4), Digest.of(1, 2))).toEqual(Uint8Array.of(1, 2));
  });

  it('oneOf gives back each of its choices, up to 255', () => {
    const choices = Array.from({ length: 255 }, (_, i) => `choice ${i}`);
    for (const choice of choices) expect(through(oneOf(...choices), choice)).toBe(choice);
    for (const choice of [
      "'); process.exit(); ('",
      '\u2028',
      '\u0024{1}',
      '\ud800',
      '',
      '__proto__',
    ] as const) {
      expect(through(oneOf('other', choice), choice)).toBe(choice);
    }
  });
});

const Everything = record({
  a: u8,
  b: i64,
  c: u16,
  d: utf8(20),
  e: u32,
  f: bool,
  g: f64,
  h: i8,
  i: bytes(9),
  j: u53,
  k: i16,
  l: f32,
  m: oneOf('red', 'green', 'blue'),
  n: u64,
  o: i32,
});

const everything = fc.record({
  a: fc.integer({ min: 0, max: 255 }),
  b: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  c: fc.integer({ min: 0, max: 65_535 }),
  d: fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => Buffer.byteLength(text) <= 20),
  e: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  f: fc.boolean(),
  g: fc.double({ noNaN: true }),
  h: fc.integer({ min: -128, max: 127 }),
  i: fc.uint8Array({ maxLength: 9 }),
  j: fc.maxSafeNat(),
  k: fc.integer({ min: -32_768, max: 32_767 }),
  l: fc.float({ noNaN: true }),
  m: fc.constantFrom('red', 'green', 'blue'),
  n: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  o: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
});

describe('a record of every type', () => {
  it('comes out as it went in, however it is pushed and read', () => {
    const queue = Queue.create(Everything, { capacity: 200 });
    fc.assert(
      fc.property(fc.array(everything, { minLength: 1, maxLength: 150, size: 'max' }), (list) => {
        expect(queue.tryPushMany(list)).toBe(list.length);
        expect(queue.popMany(200)).toEqual(list);
        for (const value of list) queue.tryPush(value);
        const viewed: unknown[] = [];
        const copied: unknown[] = [];
        queue.drain((view) => {
          const { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o } = view;
          viewed.push({ a, b, c, d, e, f, g, h, i, j, k, l, m, n, o });
          copied.push(view.toObject());
        });
        expect(viewed).toEqual(list);
        expect(copied).toEqual(list);
      }),
      { seed, numRuns: 30 },
    );
  });

  it('takes a whole number of 8 bytes', () => {
    expect(record({ a: u8 }).bytes).toBe(8);
    expect(record({ a: u64, b: u8 }).bytes).toBe(16);
    expect(record({ text: utf8(6) }).bytes).toBe(8);
    expect(Everything.bytes % 8, replay).toBe(0);
  });
});
