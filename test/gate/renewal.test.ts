import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate, type Hold, ManualClock, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { until } from '../queue/until.js';
import { fields, Order, order } from './order.js';

/** Returns a gate with its own clock and holds of `holdMs`. It has admitted `admitted` orders. */
function open(admitted: number, holdMs = 100) {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Order, { capacity: 100, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }], holdMs, clock });
  const gate = Gate.create({ queue, stock, fields });
  for (let id = 0; id < admitted; id++) gate.admit(order(id));
  return { clock, queue, stock, gate };
}

/** Consumes until `count` orders are in hand. Returns their holds, and `finish`, which lets the handlers return. */
async function inHand(gate: Gate<ReturnType<typeof order>>, count: number) {
  const holds: Hold[] = [];
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const consumed = gate.consume(
    (_, hold) => {
      holds.push(hold);
      return finished;
    },
    { concurrency: count },
  );
  await until(() => holds.length === count);
  return { holds, finish, consumed };
}

describe('the hold of an order in hand', () => {
  it('is renewed when half of it is over, as often as need be', async () => {
    const { clock, queue, stock, gate } = open(1);
    const { finish, consumed } = await inHand(gate, 1);
    expect(gate.renew()).toBe(50);
    for (let i = 0; i < 20; i++) {
      clock.advance(50);
      expect(gate.renew()).toBe(50);
      expect(stock.stats().extended).toBe(i + 1);
    }
    clock.advance(49);
    expect(stock.expire()).toBe(0);
    finish();
    queue.close();
    await consumed;
    expect(stock.counts(1)).toMatchObject({ sold: 1, reserved: 0 });
  });

  it("is renewed for its own `holdMs`, not for the stock's", async () => {
    const { clock, queue, stock, gate } = open(0);
    gate.admit(order(1), { holdMs: 40 });
    const { finish, consumed } = await inHand(gate, 1);
    expect(gate.renew()).toBe(20);
    clock.advance(20);
    expect(gate.renew()).toBe(20);
    clock.advance(39);
    expect(stock.expire()).toBe(0);
    clock.advance(1);
    expect(stock.expire()).toBe(1);
    expect(gate.renew()).toBe(Infinity);
    finish();
    queue.close();
    await consumed;
  });

  it('is left alone before half of it is over, and once it is decided', async () => {
    const { clock, queue, stock, gate } = open(3);
    const { holds, finish, consumed } = await inHand(gate, 3);
    clock.advance(37);
    gate.renew();
    expect(stock.stats().extended).toBe(0);
    holds[0]?.confirm();
    holds[1]?.cancel();
    clock.advance(13);
    gate.renew();
    expect(stock.stats().extended).toBe(1);
    holds[2]?.cancel();
    expect(gate.renew()).toBe(Infinity);
    clock.advance(50);
    gate.renew();
    expect(stock.stats()).toMatchObject({ extended: 1, expired: 0 });
    finish();
    queue.close();
    await consumed;
  });

  it('is left alone when another caller has decided it', async () => {
    const { clock, queue, stock, gate } = open(1);
    const { holds, finish, consumed } = await inHand(gate, 1);
    stock.cancel(holds[0]?.reservation ?? 0n);
    clock.advance(60);
    expect(gate.renew()).toBe(Infinity);
    expect(stock.stats()).toMatchObject({ extended: 0, cancelled: 1 });
    finish();
    queue.close();
    await consumed;
  });

  it('is not renewed by another gate object, nor for an ended consumer, until it is handed out again', async () => {
    const { clock, queue, stock, gate } = open(2);
    const other = Gate.attach(Order, gate.handle);
    const { holds, consumed } = await inHand(other, 2);
    clock.advance(60);
    expect(gate.renew()).toBe(Infinity);
    expect(stock.stats().extended).toBe(0);
    other.queue[Symbol.dispose]();
    await expect(Promise.race([consumed, sleep(0, 'waits for its handlers')])).resolves.toBe(
      'waits for its handlers',
    );
    expect(() => other.renew()).toThrow(/disposed/);
    expect(holds.every(({ decided }) => !decided)).toBe(true);
    const { finish, consumed: next } = await inHand(gate, 2);
    gate.renew();
    expect(stock.stats().extended).toBe(2);
    clock.advance(99);
    finish();
    queue.close();
    await next;
    expect(stock.counts(1)).toMatchObject({ sold: 2, available: 98 });
  });
});

describe('a thread that consumes', () => {
  const real = (holdMs: number) => {
    const queue = Queue.create(Order, { capacity: 10 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 10 }], holdMs });
    const gate = Gate.create({ queue, stock, fields });
    return { queue, stock, gate };
  };

  it('renews the orders in hand while a handler runs, also those that wait behind it', async () => {
    for (;;) {
      const { queue, stock, gate } = real(200);
      const begin = performance.now();
      gate.admit(order(1));
      gate.admit(order(2));
      queue.close();
      let first = true;
      let turnedAt = begin;
      let longestTurn = 0;
      await gate.consume(async () => {
        // Without renewal the holds would have ended long before: at least three half holds pass.
        await until(() => {
          const now = performance.now();
          longestTurn = Math.max(longestTurn, now - turnedAt);
          turnedAt = now;
          return !first || stock.stats().extended >= 6 || now - begin > 20 * 200;
        });
        first = false;
      });
      // The holds run out, whatever the gate does, if the machine stops this thread for half a hold.
      if (longestTurn > 90) continue;
      expect(stock.counts(1)).toMatchObject({ sold: 2, reserved: 0, available: 8 });
      return;
    }
  });

  it('does not renew while its event loop is blocked: the hold runs out', async () => {
    const { queue, stock, gate } = real(20);
    gate.admit(order(1));
    queue.close();
    const lost: unknown[] = [];
    const listener = (message: unknown) => lost.push(message);
    subscribe('sluice:gate:not-confirmed', listener);
    await gate.consume(() => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40));
    unsubscribe('sluice:gate:not-confirmed', listener);
    expect(lost).toMatchObject([{ order: { id: 1n }, resolution: 'expired' }]);
    expect(stock.counts(1)).toMatchObject({ sold: 0, available: 10 });
  });

  it('renews no more once it has stopped', async () => {
    const { stock, gate } = real(600_000);
    gate.admit(order(1));
    const abort = new AbortController();
    const handled = gate.consume(() => abort.abort(), { signal: abort.signal });
    await expect(handled).rejects.toMatchObject({ name: 'AbortError' });
    const reservation = gate.admit(order(2), { holdMs: 60 });
    await until(() => stock.stats().expired === 1);
    expect(reservation.outcome).toBe('admitted');
    expect(stock.stats().extended).toBe(0);
  });
});
