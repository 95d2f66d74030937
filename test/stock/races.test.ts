import { Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { until as eventually } from '../queue/until.js';
import { replay, seed } from '../seed.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { reserved } from './reserved.js';

interface Ended {
  /** For each index of `ids`: 1 if a call of this thread resolved that reservation. */
  readonly won: Uint8Array;
  readonly told: Record<string, number>;
}

describe('confirm, part of it, cancel, extend and expiry of the same reservations in four threads', () => {
  it('have one winner for each reservation, none of which expires early', async () => {
    const count = 20_000;
    const holdMs = 40;
    const stock = Stock.create({
      items: [{ sku: 1, quantity: 3 * count, perUser: 3 * count, shards: 2 }],
      maxReservations: 2 * count,
      holdMs,
    });
    const ids = new BigUint64Array(new SharedArrayBuffer(8 * count));
    const until = new Float64Array(new SharedArrayBuffer(8 * count));
    const made = new Int32Array(new SharedArrayBuffer(4));
    const url = new URL('./workers/resolver.js', import.meta.url);
    const data = { handle: stock.handle, ids, until, made, holdMs };
    const resolvers = Array.from({ length: 4 }, (_, i) => new WorkerThread(url, { ...data, seed: seed + i }));
    await withThreads(resolvers, async () => {
      await Promise.all(resolvers.map((one) => one.message('ready')));
      for (let i = 0; i < count; i++) {
        until[i] = Number(process.hrtime.bigint()) / 1e6 + holdMs;
        ids[i] = reserved(stock.reserve({ sku: 1, quantity: 3, user: i % 7 }));
        Atomics.store(made, 0, i + 1);
        Atomics.notify(made, 0);
      }
      const all = await Promise.all(resolvers.map((one) => one.message<Ended>('ended')));
      // The reservations that were extended last are still held for a while.
      await eventually(() => stock.expire() >= 0 && stock.counts(1).reserved === 0);
      const stats = stock.stats();
      expect(stats.confirmed + stats.cancelled + stats.expired, replay).toBe(count);
      const tell = (answer: string) => all.reduce((sum, { told }) => sum + (told[answer] ?? 0), 0);
      for (const ended of [stats.confirmed, stats.cancelled, stats.expired]) expect(ended).toBeGreaterThan(0);
      expect(tell('confirmed') + tell('confirmed in part'), replay).toBe(stats.confirmed);
      expect(tell('cancelled'), replay).toBe(stats.cancelled);
      expect(tell('early'), `${replay}: expired before its deadline`).toBe(0);
      expect(tell('unknown'), replay).toBe(0);
      for (let i = 0; i < count; i++) {
        const winners = all.reduce((sum, { won }) => sum + (won[i] as number), 0);
        expect(winners, `${replay}, reservation ${i}`).toBeLessThanOrEqual(1);
      }
      const sold = 3 * tell('confirmed') + 2 * tell('confirmed in part');
      expect(stock.counts(1), replay).toEqual({
        total: 3 * count,
        available: 3 * count - sold,
        reserved: 0,
        sold,
      });
      expect(stock.audit(), replay).toEqual({ items: 1, held: 0 });
      stock[Symbol.dispose]();
    });
  });
});

describe('a thread whose event loop never turns', () => {
  it('expires what is due in passing, while it reserves', () => {
    const stock = Stock.create({
      items: [{ sku: 1, quantity: 2 ** 32 - 1 }],
      maxReservations: 512,
      holdMs: 1,
    });
    // No timer runs within this loop, so reserve() itself must find the holds that are over.
    let expired = 0;
    while (expired < 2_000) {
      stock.reserve({ sku: 1, quantity: 1 });
      expired = stock.stats().expired;
    }
    stock.audit();
    stock[Symbol.dispose]();
  });
});
