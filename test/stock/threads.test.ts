import { setImmediate as immediate } from 'node:timers/promises';
import { ManualClock, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { WorkerThread, withThreads } from '../worker-thread.js';

interface Bought {
  told: Record<string, number>;
  sold: Record<number, number>;
}

interface Repeated {
  reserved: Array<{ id: number; reservation: bigint; duplicate: boolean }>;
  refused: Array<{ id: number; reason: string }>;
}

const threads = 4;

function start(url: URL, data: (index: number) => object): WorkerThread[] {
  return Array.from(
    { length: threads },
    (_, index) => new WorkerThread(url, { ...data(index), seed: seed + index }),
  );
}

function total(bought: readonly Bought[], answer: string): number {
  return bought.reduce((sum, { told }) => sum + (told[answer] ?? 0), 0);
}

describe('four threads that reserve, confirm, cancel and let expire', () => {
  it.each([
    { name: 'plenty of everything', quantity: 1_000_000, perUser: 1_000, maxReservations: 4_096, users: 500 },
    { name: 'few units', quantity: 200, perUser: 1_000, maxReservations: 4_096, users: 500 },
    { name: 'few reservations', quantity: 1_000_000, perUser: 1_000, maxReservations: 4, users: 500 },
    { name: 'few for each user', quantity: 1_000_000, perUser: 5, maxReservations: 4_096, users: 100 },
  ])('leave exact totals, and every audit on the way passes: $name', async (shape) => {
    const { quantity, perUser, maxReservations, users } = shape;
    const skus = [1, 2, 3, 4, 5, 6];
    const clock = new ManualClock();
    const items = skus.map((sku) => ({ sku, quantity, ...(sku % 2 && { perUser }) }));
    const stock = Stock.create({ items, maxReservations, maxUsers: 10_000, holdMs: 10, clock });
    const shared = new SharedArrayBuffer(8 * 12);
    const goOn = new Int32Array(new SharedArrayBuffer(4)).fill(1);
    const buyers = start(new URL('./workers/buyer.js', import.meta.url), () => ({
      handle: stock.handle,
      skus,
      users,
      rounds: 60_000,
      shared,
      goOn,
    }));
    await withThreads(buyers, async () => {
      let buying = true;
      const answers = Promise.all(buyers.map((buyer) => buyer.message<Bought>('bought'))).finally(() => {
        buying = false;
      });
      answers.catch(() => {}); // reported below
      let audits = 0;
      while (buying) {
        stock.audit();
        audits++;
        if (audits > 10) Atomics.store(goOn, 0, 0); // enough audits: the buyers may stop
        if (audits % 3 === 0) {
          clock.advance(1);
          stock.expire();
        }
        for (const sku of skus) {
          const { available, reserved, sold } = stock.counts(sku);
          expect(available + reserved + sold, `${replay}, sku ${sku}`).toBe(quantity);
          expect(Math.min(available, reserved, sold), `${replay}, sku ${sku}`).toBeGreaterThanOrEqual(0);
        }
        await immediate();
      }
      const bought = await answers;
      clock.advance(1_000);
      stock.expire();
      expect(stock.audit(), replay).toEqual({ items: skus.length, held: 0 });
      const stats = stock.stats();
      expect(stats.reserved, replay).toBe(total(bought, 'reserved'));
      expect(stats.confirmed, replay).toBe(total(bought, 'confirmed'));
      expect(stats.cancelled, replay).toBe(total(bought, 'cancelled'));
      expect(stats.confirmed + stats.cancelled + stats.expired, replay).toBe(stats.reserved);
      for (const sku of skus) {
        const sold = bought.reduce((sum, one) => sum + (one.sold[sku] ?? 0), 0);
        expect(stock.counts(sku), `${replay}, sku ${sku}`).toEqual({
          total: quantity,
          available: quantity - sold,
          reserved: 0,
          sold,
        });
        // No user has bought more than the limit: the audit has compared each user's count with the reservations.
        if (sku % 2) expect(sold, `${replay}, sku ${sku}`).toBeLessThanOrEqual(users * perUser);
      }
      expect(total(bought, 'already-confirmed') + total(bought, 'already-cancelled'), replay).toBeGreaterThan(
        0,
      );
      expect(audits, replay).toBeGreaterThan(10);
      stock[Symbol.dispose]();
    });
  });
});

describe('four threads that reserve the same ids at the same time', () => {
  it('all get the same answer for each id, and each is reserved once', async () => {
    const ids = 20_000;
    const available = 12_000;
    const begin = new SharedArrayBuffer(4);
    const stock = Stock.create({
      items: [{ sku: 1, quantity: available, perUser: 15 }],
      maxIds: 2 * ids,
      maxReservations: ids,
      holdMs: 86_400_000,
    });
    const repeaters = start(new URL('./workers/repeater.js', import.meta.url), () => ({
      handle: stock.handle,
      ids,
      start: begin,
    }));
    await withThreads(repeaters, async () => {
      for (const repeater of repeaters) await repeater.message('ready');
      Atomics.store(new Int32Array(begin), 0, 1);
      Atomics.notify(new Int32Array(begin), 0);
      const all = await Promise.all(repeaters.map((repeater) => repeater.message<Repeated>('repeated')));
      const reservations = new Map<number, bigint>();
      let fresh = 0;
      for (const { id, reservation, duplicate } of all.flatMap(({ reserved }) => reserved)) {
        expect(reservations.get(id) ?? reservation, `${replay}, id ${id}`).toBe(reservation);
        reservations.set(id, reservation);
        if (!duplicate) fresh++;
      }
      expect(fresh, replay).toBe(available);
      expect(reservations.size, replay).toBe(available);
      expect(new Set(reservations.values()).size, replay).toBe(available);
      for (const { refused } of all) {
        expect(refused.length, replay).toBe(ids - available);
        for (const { id } of refused) expect(reservations.has(id), `${replay}, id ${id}`).toBe(false);
      }
      expect(stock.counts(1)).toEqual({ total: available, available: 0, reserved: available, sold: 0 });
      stock.audit();
      stock[Symbol.dispose]();
    });
  });
});
