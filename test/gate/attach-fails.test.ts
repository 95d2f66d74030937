import { Gate, Queue, record, SluiceError, Stock, u32 } from 'sluice';
import { expect, it } from 'vitest';

it('leaves no place of its parts taken when attaching a gate fails half-way', () => {
  const Order = record({ sku: u32, quantity: u32 });
  const queue = Queue.create(Order, { capacity: 4 });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
  const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity' } });
  const others: Stock[] = [];
  const full = () => {
    for (;;) others.push(Stock.attach(stock.handle));
  };
  expect(full).toThrow(expect.objectContaining({ code: 'ERR_SLUICE_THREADS' }));
  for (let i = 0; i < 300; i++) {
    let thrown: unknown;
    try {
      Gate.attach(Order, gate.handle);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SluiceError);
  }
  others[0]?.[Symbol.dispose]();
  const attached = Gate.attach(Order, gate.handle);
  expect(attached.admit({ sku: 1, quantity: 1 }).outcome).toBe('admitted');
  for (const other of others) other[Symbol.dispose]();
});
