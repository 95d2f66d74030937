import { Gate, Limiter, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectHeld, latch, until } from '../queue/small-queue.js';
import { fields, Order, order } from './order.js';

/** Returns a gate over a stock. It has admitted `count` orders, numbered from 0. */
function admitted(count: number) {
  const queue = Queue.create(Order, { capacity: 1_000 });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 1_000 }] });
  const gate = Gate.create({ queue, stock, fields });
  for (let id = 0; id < count; id++) expect(gate.admit(order(id))).toMatchObject({ outcome: 'admitted' });
  return { queue, stock, gate };
}

describe('consume', () => {
  it.each(['queue', 'stock', 'limiter'] as const)('says so if the %s was disposed of', async (part) => {
    const queue = Queue.create(Order, { capacity: 10 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 10 }] });
    const limiter = Limiter.create({ queueDepth: { max: 10 } });
    const gate = Gate.create({ queue, stock, limiter, fields });
    gate.admit(order(1));
    ({ queue, stock, limiter })[part][Symbol.dispose]();
    const message = 'Gate (or its queue, limiter or stock): already disposed of in this thread';
    await expect(gate.consume(() => {})).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED', message });
  });

  it('confirms its last order before asyncDispose() of its queue ends', async () => {
    const { gate, queue, stock } = admitted(1);
    const held = latch();
    let aborted: boolean | undefined;
    const done = gate.consume(async (_, hold) => {
      await held.opened;
      aborted = hold.signal.aborted;
    });
    await until(() => queue.depth === 0);
    const { gone } = await expectHeld(queue);
    held.open();
    await Promise.all([done, gone]);
    expect(aborted).toBe(false);
    expect(stock.counts(1)).toMatchObject({ sold: 1, reserved: 0 });
  });

  it.each([1, 2])(
    'starts no handler once its gate is disposed of, at whatever moment, with concurrency %i',
    async (concurrency) => {
      for (let turns = 0; turns < 25; turns++) {
        const { gate, queue } = admitted(6);
        const other = Gate.attach(Order, gate.handle);
        let gone = false;
        const handled: bigint[] = [];
        const late: bigint[] = [];
        const done = gate.consume(({ id }) => void (gone ? late : handled).push(id), { concurrency });
        for (let turn = 0; turn < turns; turn++) await null;
        gone = true;
        gate[Symbol.dispose]();
        await done.catch(() => {});
        expect(late).toEqual([]);
        other.queue.close();
        const next: Array<[bigint, number]> = [];
        await other.consume(({ id }, { deliveries }) => void next.push([id, deliveries]));
        const isAgain = ([id, deliveries]: [bigint, number]): boolean =>
          deliveries > 1 || !handled.includes(id);
        expect(next.every(isAgain)).toBe(true);
        expect(new Set([...handled, ...next.map(([id]) => id)]).size).toBe(6);
        other[Symbol.dispose]();
        queue[Symbol.dispose]();
      }
    },
  );
});
