// A gate is disposed of while its queue object visits or reports records. Its consuming loop then gives up the lease in
// the middle of another call of the same object.
import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, Limiter, ManualClock, Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, rejected } from '../thrown.js';
import { Order, order } from './order.js';

const number = ({ id }: { readonly id: bigint }): number => Number(id);

describe('a gate that is disposed of', () => {
  it('in a visit of drain() within its handler ends the drain; nothing is handed out twice', async () => {
    const queue = Queue.create(Order, { capacity: 64 });
    const other = Queue.attach(Order, queue.handle);
    const gate = Gate.create({ queue });
    for (let id = 0; id < 10; id++) gate.admit(order(id));
    const seen: number[] = [];
    const consumed = gate.consume(
      (taken) => {
        seen.push(number(taken));
        const visited = queue.drain((view) => {
          seen.push(number(view));
          if (seen.length < 4) return;
          gate[Symbol.dispose]();
          seen.push(...other.popMany(3).map(number));
          other.releaseLease();
        });
        expect(visited).toBe(3);
      },
      { batchSize: 1 },
    );
    expectError(await rejected(consumed), 'ERR_SLUICE_DISPOSED');
    seen.push(...queue.popMany(64).map(number));
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(queue.stats()).toMatchObject({ depth: 0, pushed: 10, popped: 10 });
    expect(queue.tryPush(order(10))).toBe(true);
    expect(queue.tryPop()).toMatchObject({ id: 10n });
  });

  it.each(['a visit', 'a listener'])('in %s leaves its queue object to other loops', async (where) => {
    const clock = new ManualClock();
    const queue = Queue.create(Order, { capacity: 64, ttlMs: 5, clock });
    const gate = Gate.create({ queue });
    gate.admit(order(0));
    const dispose = (): void => {
      gate[Symbol.dispose]();
      // No other loop can begin before the visit, or the listener, has returned.
      expect(() => queue.tryPop()).toThrow('must not consume');
    };
    if (where === 'a listener') {
      clock.advance(6);
      queue.on('expired', dispose);
      await gate.consume(() => {}).catch(() => {});
    } else {
      gate.admit(order(1));
      await gate.consume(() => queue.drain(dispose), { batchSize: 1 }).catch(() => {});
    }
    queue.tryPush(order(2));
    const batches: number[][] = [];
    const consumed = queue.consume((batch) => void batches.push(batch.map(number)));
    await immediate();
    queue.close();
    await consumed;
    expect(batches).toEqual([[2]]);
  });

  it.each([4, 10])('in visit %i of a drain past it leaves the places of other orders taken', (last) => {
    const queue = Queue.create(Order, { capacity: 64 });
    const limiter = Limiter.create({ queueDepth: { max: 64 } });
    const gate = Gate.create({ queue, limiter });
    for (let place = 0; place < 5; place++) limiter.allow();
    for (let id = 0; id < 10; id++) gate.admit(order(id));
    const seen: number[] = [];
    queue.drain((view) => {
      seen.push(number(view));
      // A program that takes an order past the gate gives the order's place back. When the gate goes, it gives back
      // only the places of orders that are still in the queue.
      if (seen.length <= last) limiter.release();
      if (seen.length === last) gate[Symbol.dispose]();
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(limiter.stats().inFlight).toBe(5);
    expect(queue.stats()).toMatchObject({ depth: 0, popped: 10 });
  });

  it.each([1, 4, 10])(
    'through another queue object in visit %i leaves the places of other orders taken',
    (last) => {
      const queue = Queue.create(Order, { capacity: 64 });
      const limiter = Limiter.create({ queueDepth: { max: 64 } });
      const gate = Gate.create({ queue: Queue.attach(Order, queue.handle), limiter });
      for (let place = 0; place < 5; place++) limiter.allow();
      for (let id = 0; id < 10; id++) gate.admit(order(id));
      const seen: number[] = [];
      queue.drain((view) => {
        seen.push(number(view));
        if (seen.length <= last) limiter.release();
        if (seen.length === last) gate[Symbol.dispose]();
      });
      expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(limiter.stats().inFlight).toBe(5);
      expect(queue.stats()).toMatchObject({ depth: 0, popped: 10 });
    },
  );

  it('is made of the drained queue object, and goes, in one visit: each record is visited once', () => {
    const queue = Queue.create(Order, { capacity: 64 });
    for (let id = 0; id < 5; id++) queue.tryPush(order(id));
    const seen: number[] = [];
    queue.drain((view) => {
      seen.push(number(view));
      // The gate, when it goes, frees the records that were visited. The drain then shows the others again.
      if (seen.length === 2) Gate.create({ queue })[Symbol.dispose]();
    });
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(queue.stats()).toMatchObject({ depth: 0, popped: 5 });
  });

  it('is made, and goes, while records are shown to a drain: each place goes back once', () => {
    const queue = Queue.create(Order, { capacity: 64 });
    const limiter = Limiter.create({ queueDepth: { max: 64 } });
    for (let place = 0; place < 5; place++) limiter.allow();
    for (let id = 0; id < 3; id++) queue.tryPush(order(id));
    let gate: Gate<ReturnType<typeof order>> | undefined;
    const seen: number[] = [];
    queue.drain((view) => {
      const id = number(view);
      seen.push(id);
      if (id === 0) {
        gate = Gate.create({ queue: Queue.attach(Order, queue.handle), limiter });
        for (let next = 3; next < 7; next++) gate.admit(order(next));
      }
      if (id === 3 || id === 4) limiter.release();
      if (id === 4) gate?.[Symbol.dispose]();
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(limiter.stats().inFlight).toBe(5);
  });

  it('by a listener, while it takes orders, has delivered none of them', async () => {
    const clock = new ManualClock();
    const queue = Queue.create(Order, { capacity: 64, ttlMs: 5, clock });
    const gate = Gate.create({ queue });
    const next = Gate.attach(Order, gate.handle);
    gate.admit(order(0));
    clock.advance(6);
    for (const id of [1, 2]) gate.admit(order(id));
    queue.on('expired', () => gate[Symbol.dispose]());
    await gate.consume(() => {}).catch(() => {});
    queue.close();
    const deliveries: number[][] = [];
    await next.consume((taken, hold) => void deliveries.push([number(taken), hold.deliveries]));
    expect(deliveries).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });
});
