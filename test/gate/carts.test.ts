import { Gate, Limiter, ManualClock, Queue, record, Stock, u53, utf8 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from './order.js';

const Basket = record({ id: u53, user: u53, note: utf8(16) });

function open(perUser?: number) {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Basket, { capacity: 100, clock });
  const items = [
    { sku: 1, quantity: 10, ...(perUser && { perUser }) },
    { sku: 'shirt', quantity: 3 },
  ];
  const stock = Stock.create({ items, clock, holdMs: 100 });
  const limiter = Limiter.create({ queueDepth: { max: 50 }, clock });
  const gate = Gate.create({ queue, limiter, stock, fields: { user: 'user', id: 'id' } });
  const state = () => ({
    counts: [stock.counts(1), stock.counts('shirt')],
    depth: queue.depth,
    inFlight: limiter.stats().inFlight,
    held: stock.audit().held,
  });
  return { clock, queue, stock, limiter, gate, state };
}
const basket = (id: number, user = 1) => ({ id, user, note: 'gift' });

describe('a cart', () => {
  it('is admitted as a whole, under one reservation, and decided as a whole', async () => {
    const { gate, queue, stock } = open();
    const lines = [
      { sku: 1, quantity: 2 },
      { sku: 'shirt', quantity: 1 },
      { sku: 1, quantity: 1 },
    ];
    const reservations = [1, 2].map((id) => {
      const admission = gate.admit(basket(id), { lines });
      return admission.outcome === 'admitted' && admission.reservation;
    });
    expect(stock.counts(1)).toMatchObject({ available: 4, reserved: 6 });
    expect(stock.counts('shirt')).toMatchObject({ available: 1, reserved: 2 });
    queue.close();
    const seen: unknown[] = [];
    await gate.consume((taken, { reservation }) => {
      seen.push(taken, reservation);
      if (taken.id === 2) throw new Error('cancelled');
    });
    expect(seen).toEqual([basket(1), reservations[0], basket(2), reservations[1]]);
    expect(stock.counts(1)).toMatchObject({ available: 7, reserved: 0, sold: 3 });
    expect(stock.counts('shirt')).toMatchObject({ available: 2, reserved: 0, sold: 1 });
  });

  it.each([
    ['sold-out', { sku: 'shirt', quantity: 4 }, 'shirt'],
    ['unknown-sku', { sku: 'hat', quantity: 1 }, 'hat'],
    ['user-limit', { sku: 1, quantity: 5 }, 1],
  ])('that is refused (%s) changes nothing, and the answer names the item', (outcome, line, sku) => {
    const { gate, state } = open(4);
    const before = state();
    const other = line.sku === 1 ? { sku: 'shirt', quantity: 1 } : { sku: 1, quantity: 1 };
    for (let i = 0; i < 100; i++) {
      expect(gate.admit(basket(i), { lines: [other, line] })).toEqual({ outcome, sku });
      expect(gate.admit(basket(1_000 + i), { lines: [line] })).toEqual({ outcome, sku });
    }
    expect(state()).toEqual(before);
  });

  it('with an id gets one answer, whatever the order of its lines', () => {
    const { gate, state } = open();
    const lines = [
      { sku: 1, quantity: 2 },
      { sku: 'shirt', quantity: 1 },
    ];
    const first = gate.admit(basket(1), { lines });
    const before = state();
    expect(gate.admit(basket(1), { lines: [...lines].reverse() })).toEqual({ ...first, duplicate: true });
    expect(gate.admit(basket(1), { lines: lines.slice(1) })).toEqual({ outcome: 'id-mismatch' });
    expect(state()).toEqual(before);
  });

  it('is held for its own `holdMs`', () => {
    const { gate, clock, stock } = open();
    gate.admit(basket(1), { lines: [{ sku: 'shirt', quantity: 3 }], holdMs: 40 });
    clock.advance(39);
    expect(stock.expire()).toBe(0);
    clock.advance(1);
    expect(stock.expire()).toBe(1);
    expect(stock.counts('shirt').available).toBe(3);
  });

  it('is staged after its record, whose getters may admit another cart', () => {
    const { gate, stock } = open();
    const twice = {
      ...basket(1),
      get note() {
        gate.admit(basket(2), { lines: [{ sku: 'shirt', quantity: 1 }] });
        return 'outer';
      },
    };
    expect(gate.admit(twice, { lines: [{ sku: 1, quantity: 5 }] }).outcome).toBe('admitted');
    expect(stock.counts(1).reserved).toBe(5);
    expect(stock.counts('shirt').reserved).toBe(1);
  });

  it('is needed by a gate whose fields name no sku, and possible if they name one', () => {
    const { gate, state } = open();
    const before = state();
    for (const options of [undefined, {}, { holdMs: 5 }]) {
      expect(() => gate.admit(basket(1), options)).toThrow(/Gate.admit: lines: expected a cart/);
    }
    expect(state()).toEqual(before);
    const stock = Stock.create({
      items: [
        { sku: 1, quantity: 5 },
        { sku: 2, quantity: 5 },
      ],
    });
    const mixed = Gate.create({ queue: Queue.create(Order, { capacity: 9 }), stock, fields });
    mixed.admit(order(1, { sku: 1, quantity: 1 }), { lines: [{ sku: 2, quantity: 3 }] });
    mixed.admit(order(2, { sku: 1, quantity: 2 }));
    expect([stock.counts(1).reserved, stock.counts(2).reserved]).toEqual([2, 3]);
  });
});
