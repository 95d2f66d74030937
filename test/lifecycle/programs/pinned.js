// A handle that was read still attaches to its object, though this thread has forgotten the object. Needs --expose-gc.
import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, Limiter, Queue, Stock } from 'sluice';
import { newGate, Order, order } from './order.js';

const handles = (() => {
  const queue = Queue.create(Order, { capacity: 4 });
  queue.tryPush(order(1, 1));
  const limiter = Limiter.create({ queueDepth: { max: 1 } });
  limiter.allow();
  const stock = Stock.create({ items: [{ sku: 1, quantity: 1 }] });
  stock.reserve({ sku: 1, quantity: 1 });
  const gate = newGate();
  gate.admit(order(2, 2));
  return { queue: queue.handle, limiter: limiter.handle, stock: stock.handle, gate: gate.handle };
})();

for (let i = 0; i < 10; i++) {
  globalThis.gc();
  await immediate();
}
const gate = Gate.attach(Order, handles.gate);
const found = [
  Queue.attach(Order, handles.queue).tryPop().producer,
  Limiter.attach(handles.limiter).allow(),
  Stock.attach(handles.stock).counts(1).reserved,
  gate.queue.tryPop().producer,
  gate.stock.counts(2).reserved,
  gate.limiter.stats().inFlight,
];
if (String(found) !== '1,false,1,2,1,1') throw new Error(`found ${found}`);
console.log('ok');
