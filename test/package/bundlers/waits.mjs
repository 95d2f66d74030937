// Threads that wait for each other, and one that is terminated while it waits.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Gate, Limiter, Queue, record, Stock, u32, u53 } from 'sluice';

const Order = record({ sku: u32, quantity: u32, user: u53 });
const order = { sku: 1, quantity: 1, user: 1 };

if (!isMainThread) {
  const gate = Gate.attach(Order, workerData.gate);
  if (workerData.sells) {
    parentPort.postMessage('up');
    await gate.consume(async () => {});
  }
  for (let user = 0; user < 20; user++) gate.admit({ ...order, user });
} else {
  const queue = Queue.create(Order, { capacity: 32 });
  const stock = Stock.create({
    items: [{ sku: 1, quantity: 50 }],
    maxReservations: 64,
    maxUsers: 64,
    maxIds: 64,
  });
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1_000, burst: 1_000 } });
  const fields = { sku: 'sku', quantity: 'quantity', user: 'user' };
  const gate = Gate.create({ queue, stock, limiter, fields });
  const start = (sells) => new Worker(new URL(import.meta.url), { workerData: { gate: gate.handle, sells } });

  const idle = start(true);
  await once(idle, 'message');
  await idle.terminate();

  let sold = 0;
  const selling = gate.consume(async () => {
    sold += 1;
    if (sold === 20) queue.close();
  });
  const [code] = await once(start(false), 'exit');
  await selling;

  const full = Queue.create(Order, { capacity: 1 });
  full.tryPush(order);
  setTimeout(() => full.tryPop(), 10);
  await full.push(order);
  console.log(JSON.stringify({ code, sold, counts: stock.counts(1), depth: full.depth }));
}
