import type { RedisPort } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { order } from '../../gate/order.js';
import { disconnect } from '../clients.js';
import { admins, cluster, leaveCluster, masters, startCluster } from '../masters.js';
import { until } from '../scene.js';
import { endServers, servers } from '../servers.js';
import { leaveSales } from '../stock/sales.js';
import { openCounter, runOf } from './counter.js';

afterEach(async () => {
  await leaveSales();
  leaveCluster();
});

describe.each(servers)('In a cluster of three masters of $binary', ({ binary, missing }) => {
  beforeAll(async () => {
    if (!missing) await startCluster(binary);
  });
  afterAll(async () => {
    disconnect();
    masters.length = 0;
    await endServers();
  });

  const both = [
    { name: 'redis', protocol: 3 },
    { name: 'ioredis', protocol: 2 },
  ] as const;
  it.skipIf(missing).each(both)(
    'stock, gate and stream of a sale are in one slot: $name',
    async ({ name, protocol }) => {
      const redis = (await cluster[name]?.(protocol)) as RedisPort;
      const sales = [];
      for (let i = 0; i < 6; i++) {
        const counter = await openCounter(redis, { sale: `${name}${i}`, items: [{ sku: 1, quantity: 3 }] });
        sales.push({ counter, run: runOf(counter.cashiers(), () => {}) });
      }
      const outcomes = await Promise.all(
        sales.flatMap(({ counter: { gate } }) =>
          [1, 2, 3, 4].map(async (id) => (await gate.admit(order(id))).outcome),
        ),
      );
      expect(outcomes.filter((outcome) => outcome === 'admitted').length).toBe(18);
      expect(outcomes.filter((outcome) => outcome === 'sold-out').length).toBe(6);
      for (const { counter } of sales) {
        await until('all are sold', async () => (await counter.stock.counts(1)).sold === 3);
        await until('the stream is empty', async () => (await counter.depth()) === 0);
        expect(await counter.stock.audit()).toEqual({ items: 1, held: 0 });
      }
      const slots = await Promise.all(
        sales.map(({ counter: { sale, stream } }) =>
          Promise.all(
            [stream, `test:{${sale}}:items`].map((key) => admins[0]?.send(['CLUSTER', 'KEYSLOT', key])),
          ),
        ),
      );
      for (const [ofStream, ofItems] of slots) expect(ofStream).toBe(ofItems);
      expect(new Set(slots.map(String)).size).toBeGreaterThan(1);
      await Promise.all(sales.map(({ run }) => run.end()));
    },
  );
});
