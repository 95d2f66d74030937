// A sale of three units to five users: this thread admits their orders, and a worker charges them. Prints the result.
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { Gate, Limiter, Queue, record, Stock, u16, u32, u53 } from 'sluice';

const Order = record({ orderId: u53, user: u53, sku: u32, quantity: u16 });

if (parentPort) {
  const charged = [];
  await Gate.attach(Order, workerData).consume(async (order) => {
    charged.push(order.orderId);
  });
  parentPort.postMessage(charged);
} else {
  const queue = Queue.create(Order, { capacity: 64 });
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1_000, burst: 1_000 } });
  const stock = Stock.create({ items: [{ sku: 1001, quantity: 3, perUser: 1 }] });
  const fields = { sku: 'sku', quantity: 'quantity', user: 'user', id: 'orderId' };
  const gate = Gate.create({ queue, limiter, stock, fields });
  const cashier = new Worker(new URL(import.meta.url), { workerData: gate.handle });
  const charged = new Promise((resolve, reject) => {
    cashier.once('message', resolve);
    cashier.once('error', reject);
  });
  const outcomes = [1, 2, 3, 4, 5].map(
    (user) => gate.admit({ orderId: user, user, sku: 1001, quantity: 1 }).outcome,
  );
  queue.close();
  console.log(JSON.stringify({ outcomes, charged: await charged, counts: stock.counts(1001) }));
  if (stock.counts(1001).sold !== 3) process.exitCode = 1;
}
