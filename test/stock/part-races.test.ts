import { setImmediate as immediate } from 'node:timers/promises';
import { Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { until as eventually } from '../queue/until.js';
import { replay, seed } from '../seed.js';
import { WorkerThread, withThreads } from '../worker-thread.js';

const total = 100_000;

function sale() {
  const items = [
    { sku: 1, quantity: total, perUser: total },
    { sku: 2, quantity: total, shards: 2 },
  ];
  const stock = Stock.create({ items, maxReservations: 64, holdMs: 5 });
  const shared = {
    handle: stock.handle,
    ids: new BigUint64Array(new SharedArrayBuffer(8 * 4)),
    stop: new Int32Array(new SharedArrayBuffer(4)),
    told: new Int32Array(new SharedArrayBuffer(8)),
  };
  const url = new URL('./workers/parter.js', import.meta.url);
  const start = (i: number) => new WorkerThread(url, { ...shared, seed: seed + i });
  return { stock, ...shared, start };
}

function expectWhole(stock: Stock): void {
  stock.audit();
  for (const sku of [1, 2]) {
    const { available, reserved, sold } = stock.counts(sku);
    expect(available + reserved + sold, `${replay}, sku ${sku}`).toBe(total);
    expect(Math.min(available, reserved, sold), `${replay}, sku ${sku}`).toBeGreaterThanOrEqual(0);
  }
}

describe('parts of the same reservations in four threads', () => {
  it('confirmed, cancelled, returned and expiring: each unit ends once', async () => {
    const { stock, stop, told, start } = sale();
    const threads = [0, 1, 2, 3].map(start);
    await withThreads(threads, async () => {
      await Promise.all(threads.map((one) => one.message('ready')));
      while (stock.stats().parted < 5_000 || stock.stats().returned < 500) {
        expectWhole(stock);
        await immediate();
      }
      Atomics.store(stop, 0, 1);
      await Promise.all(threads.map((one) => one.message('done')));
      await eventually(() => stock.expire() >= 0 && stock.audit().held === 0);
      for (const sku of [1, 2]) {
        const sold = told[sku - 1] as number;
        expect(stock.counts(sku), replay).toEqual({ total, available: total - sold, reserved: 0, sold });
      }
      const { reserved, confirmed, cancelled, expired } = stock.stats();
      expect(confirmed + cancelled + expired, replay).toBe(reserved);
      expect(expired, replay).toBeGreaterThan(0);
    });
    stock[Symbol.dispose]();
  });

  it('whose threads are terminated leave everything sound', async () => {
    const { stock, start } = sale();
    for (let round = 0; round < 6; round++) {
      const threads = [0, 1, 2].map((i) => start(100 + 3 * round + i));
      await withThreads(threads, async () => {
        await Promise.all(threads.map((one) => one.message('ready')));
        const { parted, returned } = stock.stats();
        while (stock.stats().parted < parted + 500 || stock.stats().returned < returned + 50) {
          await immediate();
        }
      });
      expectWhole(stock);
    }
    await eventually(() => stock.expire() >= 0 && stock.audit().held === 0);
    expectWhole(stock);
    stock[Symbol.dispose]();
  });
});
