// This file is compiled in projects without a framework.
import { Queue, record, u32 } from 'sluice';
import { type Crew, deadLetterRecord, dispatch } from 'sluice/dispatch';

const Order = record({ id: u32, user: u32 });
const queue = Queue.create(Order, { capacity: 8 });
const dead = Queue.create(deadLetterRecord(Order), { capacity: 8 });
const handler = new URL('./charge.js', import.meta.url);

const crew: Crew<{ id: number; user: number }> = dispatch(queue, {
  workers: 1,
  handler,
  by: (order) => order.user,
  deadLetters: dead,
});
for (const { order } of (await crew.close()).unfinished) queue.tryPush(order);
for (const { id, error, deliveries } of dead.popMany(8)) console.log(id + deliveries, error.length);
dispatch(queue, {
  workers: 'auto',
  handler: '/charge.js',
  deadLetters: ({ order, error }) => [order.user, error.stack],
});

// @ts-expect-error: an order has no such field
dispatch(queue, { workers: 1, handler, deadLetters: dead, by: (order) => order.nothing });
// @ts-expect-error: dead letters are needed
dispatch(queue, { workers: 1, handler });
