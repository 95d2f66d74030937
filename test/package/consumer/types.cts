import { type Infer, Queue, record, u16, u53, utf8 } from 'sluice';

const Order = record({ id: u53, quantity: u16, note: utf8(24) });
const order: Infer<typeof Order> = { id: 1, quantity: 2, note: 'three' };
const pushed: boolean = Queue.create(Order, { capacity: 4 }).tryPush(order);

// @ts-expect-error: a quantity is a number
Queue.create(Order, { capacity: 4 }).tryPush({ ...order, quantity: '2' });

console.log(pushed);
