import { Gate, type Infer, ManualClock, Queue, record, Stock, u16, u32, utf8 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, thrown } from '../thrown.js';

const Order = record({ note: utf8(3), id: utf8(300), user: utf8(100), sku: utf8(40), quantity: u16, n: u32 });
type Placed = Infer<typeof Order>;
const fields = { sku: 'sku', quantity: 'quantity', user: 'user', id: 'id' } as const;
const order = (rest: Partial<Placed> = {}): Placed => ({
  note: 'abc',
  id: 'order-1',
  user: 'anna',
  sku: 'blue shirt',
  quantity: 1,
  n: 7,
  ...rest,
});

function open(given: Record<string, unknown> = fields) {
  const clock = new ManualClock();
  const queue = Queue.create(Order, { capacity: 100, clock });
  const items = ['blue shirt', 'é'.repeat(16), 7].map((sku) => ({ sku, quantity: 50, perUser: 3 }));
  const stock = Stock.create({ items, clock });
  return { queue, stock, clock, gate: Gate.create({ queue, stock, fields: given as typeof fields }) };
}

describe('text fields of a gate', () => {
  it('are the same item, user and id as these texts given to the ledger itself', () => {
    const { gate, stock } = open();
    const { reservation } = gate.admit(order()) as { reservation: bigint };
    expect(stock.counts('blue shirt').reserved).toBe(1);
    const request = { sku: 'blue shirt', quantity: 1, user: 'anna', id: 'order-1' };
    expect(stock.reserve(request)).toEqual({ ok: false, reason: 'admitted-by-gate', reservation });
    expect(stock.reserve({ ...request, user: 'bob' })).toMatchObject({ reason: 'id-mismatch' });
    expect(stock.reserve({ ...request, id: 'order-2', quantity: 2 })).toMatchObject({ ok: true });
    expect(gate.admit(order({ id: 'order-3' }))).toEqual({ outcome: 'user-limit' });
    expect(gate.admit(order({ id: 'order-4', user: 'Anna' }))).toMatchObject({ outcome: 'admitted' });
    expect(gate.admit(order({ id: 'order-2', quantity: 2 }))).toMatchObject({ outcome: 'reserved-directly' });
    expect(gate.admit(order())).toMatchObject({ duplicate: true, reservation });
    expect(gate.admit(order({ id: 'x', sku: 'green shirt' }))).toEqual({ outcome: 'unknown-sku' });
    stock.audit();
  });

  it('may have as many bytes (not characters) as the ledger takes', () => {
    const { gate, stock } = open();
    const most = { sku: 'é'.repeat(16), user: `${'€'.repeat(21)}x`, id: `${'€'.repeat(85)}x` };
    expect(gate.admit(order(most))).toMatchObject({ outcome: 'admitted', duplicate: false });
    expect(gate.admit(order(most))).toMatchObject({ outcome: 'admitted', duplicate: true });
    expect(gate.admit(order({ ...most, id: `${'€'.repeat(85)}y` }))).toMatchObject({ duplicate: false });
    expect(stock.reserve({ ...most, quantity: 1 })).toMatchObject({ reason: 'admitted-by-gate' });
  });

  it.each([
    ['sku', '', 32],
    ['user', '', 64],
    ['id', '', 256],
    ['sku', 's'.repeat(33), 32],
    ['user', 'u'.repeat(65), 64],
    ['id', 'i'.repeat(257), 256],
    ['user', '€'.repeat(22), 64],
  ])('refuse a %s that the ledger does not take, and the error names the field: %j', (field, value, max) => {
    const { gate, stock, queue } = open();
    const error = thrown(() => gate.admit(order({ [field]: value })));
    expectError(error, 'ERR_SLUICE_FIELD', RangeError);
    expect(error).toMatchObject({ field });
    expect(error.message).toContain(`a text of 1 to ${max} bytes of UTF-8`);
    expect([queue.depth, stock.counts('blue shirt').reserved]).toEqual([0, 0]);
    expect(gate.admit(order())).toMatchObject({ outcome: 'admitted' });
  });

  it('may be used beside whole numbers, and a cart needs no sku', () => {
    const { gate, stock } = open({ user: 'n', id: 'id' });
    const lines = [
      { sku: 'blue shirt', quantity: 1 },
      { sku: 7, quantity: 2 },
    ];
    expect(gate.admit(order({ sku: '' }), { lines })).toMatchObject({ outcome: 'admitted' });
    expect(stock.reserveAll(lines, { user: 7, id: 'order-1' })).toMatchObject({ reason: 'admitted-by-gate' });
    const { gate: other } = open({ sku: 'n', quantity: 'quantity', user: 'user' });
    expect(other.admit(order({ id: '' }))).toMatchObject({ outcome: 'admitted' });
    expect(other.stock?.counts(7).reserved).toBe(1);
    expect(other.admit(order({ sku: '' }), { lines })).toMatchObject({ outcome: 'admitted' });
  });

  it('are in movements, in another thread and after a restart', async () => {
    const { gate, stock, clock } = open();
    const other = Gate.attach(Order, gate.handle);
    const admitted = other.admit(order());
    expect(gate.admit(order())).toStrictEqual({ ...admitted, duplicate: true });
    for await (const movement of stock.movements({ from: 3 })) {
      expect(movement).toMatchObject({ kind: 'reserved', sku: 'blue shirt', user: 'anna' });
      break;
    }
    const restored = Stock.restore(stock.snapshot(), { clock });
    const queue = Queue.create(Order, { capacity: 10, clock });
    const next = Gate.create({ queue, stock: restored, fields });
    expect(next.admit(order())).toStrictEqual({ ...admitted, duplicate: true, requeued: true });
    expect(queue.tryPop()).toEqual(order());
    expect(() => other.admit(order({ user: '' }))).toThrow(/"user"/);
  });

  it('cannot be a quantity', () => {
    expect(() => open({ ...fields, quantity: 'note' })).toThrow(
      /fields: quantity: expected the name of a field/,
    );
  });
});
