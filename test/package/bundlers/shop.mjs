import { Queue, record, u32 } from 'sluice';
import { limit } from 'sluice/http';

const Order = record({ sku: u32 });
const orders = Queue.create(Order, { capacity: 4 });
setTimeout(() => orders.tryPush({ sku: 7 }), 10);
for await (const order of orders) {
  console.log(JSON.stringify({ order, limit: typeof limit }));
  break;
}
