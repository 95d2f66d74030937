// @ts-check
// Worker threads handle the orders. A failed one is tried again, and goes to the dead letters when it keeps failing.
import { Gate, Queue, record, Stock, u32 } from 'sluice';
import { dispatch } from 'sluice/dispatch';

const Order = record({ id: u32, sku: u32, quantity: u32 });
const queue = Queue.create(Order, { capacity: 1_024 });
const stock = Stock.create({ items: [{ sku: 1001, quantity: 10 }] });
const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', id: 'id' } });

const crew = dispatch(gate, {
  workers: 2,
  handler: new URL('./charge-handler.js', import.meta.url),
  retries: { max: 2, backoff: { baseMs: 10, factor: 2, maxMs: 100, jitter: 0 } },
  deadLetters: ({ order, error, deliveries }) => {
    console.log(
      `dead letter: order ${order.id} after ${deliveries} deliveries: ${/** @type {Error} */ (error).message}`,
    );
  },
});
for (const id of [1, 2, 13]) gate.admit({ id, sku: 1001, quantity: 1 });
queue.close();
await crew.done;
console.log(`sold: ${stock.counts(1001).sold}, back on sale: ${stock.counts(1001).available}`);

// Prints:
// dead letter: order 13 after 3 deliveries: the bank refuses card 13
// sold: 2, back on sale: 8
