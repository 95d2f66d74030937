import { Queue, record, u32 } from 'sluice';
import { limit } from 'sluice/http';
import { expect, test } from 'vitest';

test('an order waits until it is taken', async () => {
  const orders = Queue.create(record({ sku: u32 }), { capacity: 1 });
  setTimeout(() => orders.tryPush({ sku: 7 }), 1);
  for await (const order of orders) {
    expect(order).toEqual({ sku: 7 });
    break;
  }
  expect(() => orders.tryPush({ sku: -1 })).toThrow(expect.objectContaining({ code: 'ERR_SLUICE_FIELD' }));
  expect(typeof limit).toBe('function');
});
