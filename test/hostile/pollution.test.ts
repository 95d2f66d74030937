import { type AdmitOptions, Gate, ManualClock, Queue, record, Stock, u32 } from 'sluice';
import { expect, it } from 'vitest';

const Order = record({ sku: u32, quantity: u32 });

it.each([
  ['holdMs', 1],
  ['key', 'anything'],
  ['lines', [{ sku: 1, quantity: 3 }]],
])('an order takes no option from Object.prototype: %s', (name, value) => {
  const clock = new ManualClock();
  const queue = Queue.create(Order, { capacity: 4, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }], clock });
  const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity' } });
  const admit = (options: AdmitOptions) => gate.admit({ sku: 1, quantity: 1 }, options).outcome;
  let outcomes: string[];
  Object.defineProperty(Object.prototype, name, { value, enumerable: true, configurable: true });
  try {
    outcomes = [admit({}), admit({ holdMs: undefined }), admit(Object.create(null) as AdmitOptions)];
  } finally {
    Reflect.deleteProperty(Object.prototype, name);
  }
  expect(outcomes).toEqual(['admitted', 'admitted', 'admitted']);
  clock.advance(2);
  expect(stock.expire()).toBe(0);
  expect(stock.counts(1).reserved).toBe(3);
});
