import { bool, Gate, Limiter, ManualClock, Queue, record, Stock, u8, u16, u32, u53, u64 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { fields, Order, order } from './order.js';

const items = [
  { sku: 1, quantity: 100 },
  { sku: 2, quantity: 100, perUser: 1 },
];

describe('admit', () => {
  it('reserves and queues an order, and returns its reservation', () => {
    const queue = Queue.create(Order, { capacity: 10 });
    const stock = Stock.create({ items });
    const gate = Gate.create({ queue, stock, fields });
    const admission = gate.admit(order(1, { quantity: 3, note: 'hello' }));
    expect(admission).toEqual({
      outcome: 'admitted',
      reservation: expect.any(BigInt),
      duplicate: false,
      state: 'held',
    });
    expect(stock.counts(1)).toMatchObject({ available: 97, reserved: 3 });
    expect(queue.depth).toBe(1);
    expect(queue.tryPop()).toEqual(order(1, { quantity: 3, note: 'hello' }));
    if (admission.outcome === 'admitted') expect(stock.confirm(admission.reservation)).toBe('confirmed');
  });

  it('works with a limiter alone, a stock alone, and neither', () => {
    const newQueue = () => Queue.create(Order, { capacity: 2 });
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const limited = Gate.create({ queue: newQueue(), limiter });
    const admitted = { outcome: 'admitted', reservation: 0n, duplicate: false, state: 'held' };
    expect(limited.admit(order(1))).toEqual(admitted);
    expect(limited.admit(order(1))).toEqual({
      outcome: 'rate-limited',
      tier: 'queue-depth',
      retryAfterMs: 0,
    });
    const plain = Gate.create({ queue: newQueue() });
    expect([plain.admit(order(1)), plain.admit(order(1))]).toEqual([admitted, admitted]);
    expect(plain.admit(order(1))).toEqual({ outcome: 'queue-full' });
    const stocked = Gate.create({ queue: newQueue(), stock: Stock.create({ items }), fields });
    expect(stocked.admit(order(1))).toMatchObject({ outcome: 'admitted' });
    expect([limited.limiter, limited.stock, stocked.limiter]).toEqual([limiter, undefined, undefined]);
  });

  it("holds an order for the `holdMs` of the call, or for the stock's", () => {
    const clock = new ManualClock();
    const queue = Queue.create(Order, { capacity: 10, clock });
    const stock = Stock.create({ items, clock, holdMs: 100 });
    const gate = Gate.create({ queue, stock, fields });
    gate.admit(order(1), { holdMs: 50.5 });
    gate.admit(order(2));
    clock.advance(50.5);
    expect(stock.expire()).toBe(1);
    clock.advance(49.5);
    expect(stock.expire()).toBe(1);
  });

  it('does not refuse because of holds that are over: they expire first', () => {
    const clock = new ManualClock();
    const queue = Queue.create(Order, { capacity: 10, clock });
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 3 }, clock });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 1, perUser: 1 }], clock, holdMs: 100 });
    const gate = Gate.create({ queue, limiter, stock, fields });
    expect(gate.admit(order(1))).toMatchObject({ outcome: 'admitted' });
    clock.advance(99);
    expect(gate.admit(order(2))).toEqual({ outcome: 'sold-out' });
    clock.advance(1);
    expect(gate.admit(order(3))).toMatchObject({ outcome: 'admitted', duplicate: false });
    expect(gate.stats()).toMatchObject({ admitted: 2, soldOut: 1 });
    // The second admitted order is charged and queued like the first.
    expect(queue.depth).toBe(2);
    expect(limiter.tryAcquire()).toMatchObject({ allowed: true });
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false });
    expect(stock.stats()).toMatchObject({ reserved: 2, expired: 1 });
    stock.audit();
  });

  it('reads its fields from every type of whole number', () => {
    const Wide = record({ flag: bool, a: u8, b: u16, c: u32, d: u53, e: u64 });
    const values = { flag: true, a: 1, b: 1, c: 1, d: 1, e: 1n };
    const names = ['a', 'b', 'c', 'd', 'e'] as const;
    for (const sku of names) {
      for (const user of names) {
        const stock = Stock.create({ items: [{ sku: 7, quantity: 5, perUser: 5 }] });
        const quantity = names.find((name) => name !== sku && name !== user) ?? 'a';
        const id = names.find((name) => ![sku, user, quantity].includes(name)) ?? 'a';
        if (sku === user) continue;
        const gate = Gate.create({
          queue: Queue.create(Wide, { capacity: 4 }),
          stock,
          fields: { sku, quantity, user, id },
        });
        const value = (name: (typeof names)[number], number: number) => ({
          [name]: name === 'e' ? BigInt(number) : number,
        });
        const one = {
          ...values,
          ...value(sku, 7),
          ...value(quantity, 4),
          ...value(user, 200),
          ...value(id, 250),
        };
        expect(gate.admit(one)).toMatchObject({ outcome: 'admitted', duplicate: false });
        expect(gate.admit(one)).toMatchObject({ outcome: 'admitted', duplicate: true });
        expect(gate.admit({ ...one, ...value(id, 251), ...value(quantity, 2) })).toEqual({
          outcome: 'sold-out',
        });
        expect(stock.counts(7)).toMatchObject({ available: 1, reserved: 4 });
        expect(stock.reserve({ sku: 7, quantity: 1, user: 200 })).toMatchObject({ ok: true });
      }
    }
  });

  it('counts its outcomes, over all attached objects', () => {
    const queue = Queue.create(Order, { capacity: 3 });
    const clock = new ManualClock();
    const limiter = Limiter.create({ queueDepth: { max: 2 }, clock });
    const stock = Stock.create({ items, clock });
    expectError(
      thrown(() => Gate.create({ queue, limiter, stock, fields })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    const gate = Gate.create({ queue: Queue.create(Order, { capacity: 3, clock }), limiter, stock, fields });
    const other = Gate.attach(Order, gate.handle);
    const outcomes = [
      gate.admit(order(1, { sku: 2 })),
      other.admit(order(1, { sku: 2 })),
      gate.admit(order(2, { sku: 2 })),
      other.admit(order(3, { sku: 1, quantity: 101 })),
      gate.admit(order(4)),
      gate.admit(order(5)),
      gate.admit(order(6, { sku: 9 })),
      gate.admit(order(2, { sku: 2 })),
    ].map(({ outcome }) => outcome);
    expect(outcomes).toEqual([
      'admitted',
      'admitted',
      'user-limit',
      'sold-out',
      'admitted',
      'rate-limited',
      'unknown-sku',
      'already-failed',
    ]);
    const stats = {
      admitted: 2,
      duplicates: 1,
      requeued: 0,
      rateLimited: 1,
      queueFull: 0,
      soldOut: 1,
      userLimit: 1,
      otherwiseRefused: 2,
      inHand: 0,
      redelivered: 0,
    };
    expect([gate.stats(), other.stats()]).toEqual([stats, stats]);
  });
});

describe('a bad order', () => {
  const make = () => {
    const queue = Queue.create(Order, { capacity: 4 });
    const stock = Stock.create({ items });
    return { queue, stock, gate: Gate.create({ queue, stock, fields }) };
  };

  it.each([
    ['sku', -1],
    ['quantity', 65_536],
    ['user', 0.5],
    ['id', 2n ** 64n],
    ['note', 'much too long'],
  ])('causes an error that names the field %s, and changes nothing', (field, value) => {
    const { queue, stock, gate } = make();
    const error = thrown(() => gate.admit(mistyped({ ...order(1), [field]: value })));
    expectError(error, 'ERR_SLUICE_FIELD', RangeError);
    expect(error.field).toBe(field);
    expect([queue.depth, stock.counts(1).reserved, stock.stats().refused]).toEqual([0, 0, 0]);
  });

  it.each([0, 2 ** 32, 2 ** 53 - 1])('causes an error with the field, the range and the value %i', (many) => {
    const Wide = record({ sku: u32, many: u53 });
    const queue = Queue.create(Wide, { capacity: 4 });
    const gate = Gate.create({
      queue,
      stock: Stock.create({ items: items.slice(0, 1) }),
      fields: { sku: 'sku', quantity: 'many' },
    });
    const error = thrown(() => gate.admit({ sku: 1, many }));
    expectError(error, 'ERR_SLUICE_FIELD', RangeError);
    expect(error.field).toBe('many');
    expect(error.message).toBe(`field "many": expected a whole number from 1 to 4294967295, got ${many}`);
  });

  it.each([['quantity', { quantity: 0 }]])('is one that the ledger cannot take, too: %s', (field, value) => {
    const { queue, stock, gate } = make();
    const error = thrown(() => gate.admit({ ...order(1), ...value }));
    expectError(error, 'ERR_SLUICE_FIELD', RangeError);
    expect(error.field).toBe(field);
    expect([queue.depth, stock.counts(1).reserved]).toEqual([0, 0]);
  });

  it('has a quantity that a 64-bit field can hold and the ledger cannot', () => {
    const Wide = record({ sku: u64, quantity: u64, user: u64 });
    const queue = Queue.create(Wide, { capacity: 4 });
    const stock = Stock.create({ items });
    const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', user: 'user' } });
    const admit = (value: object) => () => gate.admit({ sku: 1n, quantity: 1n, user: 1n, ...value });
    for (const [field, value] of [
      ['quantity', 2n ** 32n],
      ['quantity', 2n ** 32n + 1n],
    ] as const) {
      const error = thrown(admit({ [field]: value }));
      expectError(error, 'ERR_SLUICE_FIELD', RangeError);
      expect(error.field).toBe(field);
    }
    expect(admit({ sku: 2n ** 32n + 1n })()).toEqual({ outcome: 'unknown-sku' });
    expect(admit({ quantity: 2n ** 32n - 1n })()).toEqual({ outcome: 'sold-out' });
    expect(queue.depth).toBe(0);
  });
});

describe('a gate', () => {
  it('is the only one of its queue, until it is gone', () => {
    const queue = Queue.create(Order, { capacity: 4 });
    const gate = Gate.create({ queue });
    expectError(
      thrown(() => Gate.create({ queue })),
      'ERR_SLUICE_GATED',
    );
    gate[Symbol.dispose]();
    expect(Gate.create({ queue }).admit(order(1))).toMatchObject({ outcome: 'admitted' });
  });

  it('needs parts with the same clock', () => {
    const clock = new ManualClock();
    const queue = Queue.create(Order, { capacity: 4, clock });
    const cases = [
      { limiter: Limiter.create({ queueDepth: { max: 1 } }) },
      { stock: Stock.create({ items }), fields },
      { stock: Stock.create({ items, clock: new ManualClock() }), fields },
      { limiter: Limiter.create({ queueDepth: { max: 1 }, clock }), stock: Stock.create({ items }), fields },
    ];
    for (const parts of cases) {
      const error = thrown(() => Gate.create({ queue, ...parts }));
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toContain('clock');
    }
    Gate.create({ queue, limiter: Limiter.create({ queueDepth: { max: 1 }, clock }) });
  });

  it('attached by its handle is the same gate over the same parts', () => {
    const queue = Queue.create(Order, { capacity: 4 });
    const limiter = Limiter.create({ queueDepth: { max: 2 } });
    const stock = Stock.create({ items });
    const gate = Gate.create({ queue, limiter, stock, fields });
    const other = Gate.attach(Order, structuredClone(gate.handle));
    gate.admit(order(1));
    expect(other.admit(order(1))).toMatchObject({ outcome: 'admitted', duplicate: true });
    expect(other.admit(order(2, { quantity: 5 }))).toMatchObject({ outcome: 'admitted' });
    expect(gate.admit(order(3))).toMatchObject({ outcome: 'rate-limited' });
    expect(other.queue.depth).toBe(2);
    expect(other.limiter?.stats()).toEqual(limiter.stats());
    expect(other.stock?.counts(1)).toEqual(stock.counts(1));
  });

  it("of a queue with 'caller' is attached with a listener of its own", () => {
    const queue = Queue.create(Order, { capacity: 1, overflow: 'caller', onOverflow: () => undefined });
    const { handle } = Gate.create({ queue, stock: Stock.create({ items }), fields });
    const refused: unknown[] = [];
    const other = Gate.attach(Order, handle, { onOverflow: (one) => refused.push(one.id) });
    expect(other.admit(order(1))).toMatchObject({ outcome: 'admitted' });
    expect(other.queue.tryPush(order(2))).toBe(false);
    expect(refused).toEqual([2n]);
    expect(thrown(() => Gate.attach(Order, handle))).toMatchObject({
      code: 'ERR_SLUICE_OPTION',
      message: expect.stringContaining('onOverflow'),
    });
  });

  it('is not attached with another record, nor by the handle of something else', () => {
    const queue = Queue.create(Order, { capacity: 4 });
    const gate = Gate.create({ queue });
    const otherRecord = thrown(() => Gate.attach(record({ id: u64 }), gate.handle));
    expectError(otherRecord, 'ERR_SLUICE_SCHEMA');
    expect(otherRecord).toMatchObject({ message: expect.stringMatching(/^Gate\.attach: /) });
    expect(thrown(() => Gate.attach(mistyped(undefined), gate.handle))).toMatchObject({
      code: 'ERR_SLUICE_OPTION',
      message: expect.stringMatching(/^Gate\.attach: record: /),
    });
    expectError(
      thrown(() => Gate.attach(Order, mistyped(queue.handle))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    const forged = { ...queue.handle, sluice: 'gate' as const };
    expectError(
      thrown(() => Gate.attach(Order, forged)),
      'ERR_SLUICE_HANDLE',
    );
  });

  it('over a part that was disposed of refuses with ERR_SLUICE_DISPOSED', () => {
    for (const part of ['queue', 'limiter', 'stock', 'gate'] as const) {
      const queue = Queue.create(Order, { capacity: 4 });
      const limiter = Limiter.create({ queueDepth: { max: 2 } });
      const stock = Stock.create({ items });
      const gate = Gate.create({ queue, limiter, stock, fields });
      const other = Gate.attach(Order, gate.handle);
      ({ queue, limiter, stock, gate })[part][Symbol.dispose]();
      expectError(
        thrown(() => gate.admit(order(1))),
        'ERR_SLUICE_DISPOSED',
      );
      expectError(
        thrown(() => gate.stats()),
        'ERR_SLUICE_DISPOSED',
      );
      expect(other.admit(order(1))).toMatchObject({ outcome: 'admitted' });
      if (part === 'gate') continue;
      expectError(
        thrown(() =>
          Gate.create(
            mistyped({
              queue: Queue.create(Order, { capacity: 4 }),
              ...{ [part]: { queue, limiter, stock }[part] },
              ...(part === 'stock' && { fields }),
            }),
          ),
        ),
        'ERR_SLUICE_DISPOSED',
      );
    }
  });
});
