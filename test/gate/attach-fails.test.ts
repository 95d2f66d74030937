import { Gate, Limiter, Queue, Stock } from 'sluice';
import { expect, it } from 'vitest';
import { attachElsewhere } from '../lifecycle/environments.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { fields, Order } from './order.js';

it('an attach of a gate that fails half-way leaves no thread slot of its parts taken', async () => {
  const limiter = Limiter.create({ queueDepth: { max: 4 } });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
  const gate = Gate.create({ queue: Queue.create(Order, { capacity: 4 }), limiter, stock, fields });
  // This thread and the gate itself have thread slots, too: the limiter has one left, the stock none.
  const elsewhere = [
    attachElsewhere('attachLimiter', limiter.handle, 253),
    attachElsewhere('attachStock', stock.handle, 254),
  ];
  const program = new URL('./workers/attaches-gate.js', import.meta.url);
  const worker = new WorkerThread(program, { handle: gate.handle });
  await withThreads([worker], async () => {
    for (let i = 0; i < 30; i++) {
      worker.post({ type: 'attach' });
      expect(await worker.message('attached')).toMatchObject({ code: 'ERR_SLUICE_THREADS' });
      for (const letGo of attachElsewhere('attachLimiter', limiter.handle, 1)) letGo();
    }
    elsewhere[1]?.[0]?.();
    worker.post({ type: 'attach' });
    expect(await worker.message('attached')).toMatchObject({ outcome: 'admitted' });
    expect(() => attachElsewhere('attachLimiter', limiter.handle, 1)).toThrow('too-many-threads');
  });
  for (const letGo of elsewhere.flat()) letGo();
});
