import { type Infer, json, Queue, record, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';

interface Cart {
  lines: Array<{ sku: number; note: string }>;
  gift?: boolean;
}
const Order = record({ id: u32, cart: json<Cart>({ maxBytes: 100 }), last: u32 });
/** `Infer` gives the field this type. */
const typed: Infer<typeof Order>['cart'] = { lines: [] };

const cart: Cart = { lines: [{ sku: 1, note: 'für Łukasz 🎁' }] };
const queueOf = () => Queue.create(Order, { capacity: 4 });

describe('a json field', () => {
  it.each<[string, unknown]>([
    ['an object', cart],
    ['an array', [1, 'two', null, { three: 3 }]],
    ['a string', 'text with "quotes" and \u2028'],
    ['a number', -1.5e-300],
    ['true', true],
    ['null', null],
    ['the empty object', {}],
    ['a lone surrogate', '\ud800'],
  ])('gives back %s as it was', (_, value) => {
    const queue = queueOf();
    queue.tryPush({ id: 1, cart: value as Cart, last: 2 });
    expect(queue.tryPop()).toEqual({ id: 1, cart: value, last: 2 });
  });

  it('is read by a view as by an object', () => {
    const queue = queueOf();
    queue.tryPush({ id: 1, cart, last: 2 });
    const seen: unknown[] = [];
    queue.drain((view) => seen.push(view.cart, view.toObject()));
    expect(seen).toEqual([cart, { id: 1, cart, last: 2 }]);
  });

  it('gives back values that JSON has in another form as JSON.parse makes them', () => {
    const queue = queueOf();
    const date = new Date(0);
    queue.tryPush({ id: 1, cart: mistyped({ date, nan: Number.NaN, gone: undefined }), last: 2 });
    expect(queue.tryPop()?.cart).toEqual({ date: date.toISOString(), nan: null });
  });

  const circular: unknown[] = [];
  circular.push(circular);
  const failing = {
    toJSON() {
      throw new Error('no');
    },
  };
  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a bigint', 1n],
    ['an object with a bigint in it', { a: 1n }],
    ['a circular array', circular],
    ['a toJSON that throws', failing],
    ['a toJSON that says nothing', { toJSON: () => undefined }],
  ])('refuses %s with a TypeError that names it, and nothing is pushed', (_, value) => {
    const queue = queueOf();
    const error = thrown(() => queue.tryPush({ id: 1, cart: value as Cart, last: 2 }));
    expectError(error, 'ERR_SLUICE_FIELD', TypeError);
    expect(error.field).toBe('cart');
    expect(queue.stats()).toMatchObject({ pushed: 0, depth: 0 });
  });

  it('takes a text of exactly maxBytes bytes and refuses one more with a RangeError, counted in UTF-8', () => {
    const queue = queueOf();
    for (const letter of ['x', 'ü', '€']) {
      // two more bytes are the quotes
      const fits = mistyped(letter.repeat(Math.floor(98 / Buffer.byteLength(letter))));
      const padded = mistyped(`${fits}${'x'.repeat(98 - Buffer.byteLength(fits))}`);
      expect(queue.tryPush({ id: 1, cart: padded, last: 2 })).toBe(true);
      expect(queue.tryPop()?.cart).toBe(padded);
      const error = thrown(() => queue.tryPush({ id: 1, cart: mistyped(`${padded}x`), last: 2 }));
      expectError(error, 'ERR_SLUICE_FIELD', RangeError);
      expect(error.field).toBe('cart');
      expect(error.message).toContain('at most 100 bytes of JSON');
    }
    expect(queue.stats()).toMatchObject({ pushed: 3, depth: 0 });
  });

  it('may push another record from its toJSON: both arrive whole', () => {
    const queue = queueOf();
    const nested = {
      toJSON() {
        queue.tryPush({ id: 7, cart, last: 8 });
        return typed;
      },
    };
    queue.tryPush({ id: 1, cart: mistyped(nested), last: 2 });
    expect(queue.popMany(9)).toEqual([
      { id: 7, cart, last: 8 },
      { id: 1, cart: { lines: [] }, last: 2 },
    ]);
  });

  it('has a limit from 1 to 65,535 bytes, which is part of the schema', () => {
    for (const maxBytes of [0, 65_536, 1.5, Number.NaN]) {
      expectError(
        thrown(() => json({ maxBytes })),
        'ERR_SLUICE_OPTION',
        RangeError,
      );
    }
    for (const bad of [undefined, {}, { maxBytes: '1' }, { max: 3 }]) {
      expectError(
        thrown(() => json(mistyped(bad))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
    const queue = queueOf();
    const other = record({ id: u32, cart: json<Cart>({ maxBytes: 101 }), last: u32 });
    expectError(
      thrown(() => Queue.attach(mistyped(other), queue.handle)),
      'ERR_SLUICE_SCHEMA',
    );
  });
});
