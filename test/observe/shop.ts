import { Gate, Limiter, ManualClock, Queue, Stock } from 'sluice';
import { fields, Order, order } from '../gate/order.js';

/** A gate with all parts. It has admitted three orders of four, and one of these is sold. */
export function shop(options: { latency?: boolean; skus?: number } = {}) {
  const { latency = true, skus = 1 } = options;
  const clock = new ManualClock();
  const queue = Queue.create(Order, { capacity: 8, latency, clock });
  const limiter = Limiter.create({ queueDepth: { max: 3 }, clock });
  const items = Array.from({ length: skus }, (_, i) => ({ sku: i + 1, quantity: 10 }));
  const stock = Stock.create({ items, clock });
  const gate = Gate.create({ queue, limiter, stock, fields });
  for (const id of [1, 2, 3, 4]) gate.admit(order(id));
  clock.advance(2);
  const sell = async () => {
    const one = new AbortController();
    await gate
      .consume(
        (_, hold) => {
          hold.confirm();
          one.abort();
        },
        { batchSize: 1, signal: one.signal },
      )
      .catch(() => {});
  };
  return { clock, queue, limiter, stock, gate, sell };
}
