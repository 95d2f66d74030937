import { Gate, Limiter, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from '../gate/order.js';
import { expectError, thrown } from '../thrown.js';
import { WorkerThread } from '../worker-thread.js';
import { attachElsewhere } from './environments.js';

const many = 1_000;
const items = [{ sku: 1, quantity: 2 * many }];
const list = <T>(make: (i: number) => T): T[] => Array.from({ length: many }, (_, i) => make(i));

describe('an object that a thread attaches again and again and never disposes of', () => {
  it('takes one thread slot of a queue, and each attachment can be used', () => {
    const queue = Queue.create(Order, { capacity: many });
    const others = list(() => Queue.attach(Order, queue.handle));
    others.forEach((other, i) => {
      expect(other.tryPush(order(i))).toBe(true);
    });
    expect(queue.tryPush(order(0))).toBe(false);
    expect(others[77]?.stats()).toMatchObject({ pushed: many, rejected: 1, depth: many });
    expect(others[500]?.popMany(many).map(({ id }) => Number(id))).toEqual(list((i) => i));
  });

  it('takes one thread slot of a limiter, and each attachment can be used', () => {
    const limiter = Limiter.create({ queueDepth: { max: many } });
    const others = list(() => Limiter.attach(limiter.handle));
    for (const other of others) expect(other.allow()).toBe(true);
    expect(limiter.allow()).toBe(false);
    for (const other of others) other.release();
    expect(limiter.stats()).toMatchObject({ allowed: many, inFlight: 0 });
    expect(limiter.stats().refused['queue-depth']).toBe(1);
  });

  it('takes one thread slot of a stock, and each attachment can be used', () => {
    const stock = Stock.create({ items });
    const others = list(() => Stock.attach(stock.handle));
    for (const other of others) expect(other.reserve({ sku: 1, quantity: 2 }).ok).toBe(true);
    expect(stock.reserve({ sku: 1, quantity: 1 }).ok).toBe(false);
    expect(stock.stats()).toMatchObject({ reserved: many, refused: 1 });
    expect(stock.audit()).toEqual({ items: 1, held: many });
  });

  it('takes one thread slot of a gate and of its parts, and each attachment can be used', () => {
    const queue = Queue.create(Order, { capacity: many });
    const stock = Stock.create({ items });
    const gate = Gate.create({ queue, stock, fields });
    const others = list(() => Gate.attach(Order, gate.handle));
    others.forEach((other, i) => {
      expect(other.admit(order(i + 1)).outcome).toBe('admitted');
    });
    expect(gate.stats()).toMatchObject({ admitted: many, queueFull: 0 });
  });

  it('takes one thread slot of a stock and a limiter for all the gates that share them', () => {
    const stock = Stock.create({ items });
    const limiter = Limiter.create({ queueDepth: { max: many } });
    const gates = list(() =>
      Gate.create({ queue: Queue.create(Order, { capacity: 1, ttlMs: 0.001 }), stock, limiter, fields }),
    );
    gates.forEach((gate, i) => {
      expect(gate.admit(order(i + 1)).outcome).toBe('admitted');
    });
    // The queues drop the expired orders, and no gate is called. The units and the places in flight of all come back.
    for (const { queue } of gates) expect(queue.tryPop()).toBeUndefined();
    expect(stock.counts(1)).toMatchObject({ reserved: 0, sold: 0 });
    expect(stock.stats()).toMatchObject({ reserved: many, cancelled: many });
    expect(limiter.stats()).toMatchObject({ allowed: many, inFlight: 0 });
  });

  it('gives its thread slot back when its thread ends', async () => {
    const stock = Stock.create({ items });
    const elsewhere = attachElsewhere('attachStock', stock.handle, 254);
    const program = new URL('./workers/attaches.js', import.meta.url);
    for (let i = 0; i < 3; i++) {
      const worker = new WorkerThread(program, { handle: stock.handle, times: 300 });
      expect(await worker.message('used')).toMatchObject({ reserved: 300 });
      expect(() => attachElsewhere('attachStock', stock.handle, 1)).toThrow('too-many-threads');
      await worker.terminate();
    }
    for (const letGo of attachElsewhere('attachStock', stock.handle, 1)) letGo();
    for (const letGo of elsewhere) letGo();
    expect(stock.stats().reserved).toBe(900);
  });
});

describe('a stock and a limiter', () => {
  it('are refused to the 257th thread at the same time, until one disposes of them', () => {
    const stock = Stock.create({ items });
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const stockHandle = stock.handle;
    const limiterHandle = limiter.handle;
    const elsewhere = [
      attachElsewhere('attachStock', stockHandle, 255),
      attachElsewhere('attachLimiter', limiterHandle, 255),
    ];
    stock[Symbol.dispose]();
    limiter[Symbol.dispose]();
    elsewhere.push(
      attachElsewhere('attachStock', stockHandle, 1),
      attachElsewhere('attachLimiter', limiterHandle, 1),
    );
    const attach = [() => Stock.attach(stockHandle), () => Limiter.attach(limiterHandle)];
    for (const act of attach) expectError(thrown(act), 'ERR_SLUICE_THREADS');
    elsewhere[0]?.[77]?.();
    elsewhere[1]?.[77]?.();
    expect(Stock.attach(stockHandle).reserve({ sku: 1, quantity: 1 }).ok).toBe(true);
    expect(Limiter.attach(limiterHandle).allow()).toBe(true);
    for (const letGo of elsewhere.flat()) letGo();
  });
});
