import type { RedisPort } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { disconnect } from '../clients.js';
import { cluster, leaveCluster, masters, moveSlot, startCluster } from '../masters.js';
import { endServers, servers } from '../servers.js';
import { leaveSales, newSale, openSale } from './sales.js';

describe.each(servers)('In a cluster of three masters of $binary', ({ binary, missing }) => {
  beforeAll(async () => {
    if (!missing) await startCluster(binary);
  });
  afterEach(async () => {
    await leaveSales();
    leaveCluster();
  });
  afterAll(async () => {
    disconnect();
    masters.length = 0;
    await endServers();
  });

  it.skipIf(missing).each(Object.keys(cluster))(
    'a stock asks for no replica or disk, because the client would ask any master: %s',
    async (client) => {
      const redis = (await cluster[client]?.(3)) as RedisPort;
      const items = [{ sku: 7, quantity: 10 }];
      for (const durability of [{ replicas: 1 }, { fsync: true }]) {
        const refused = {
          code: 'ERR_SLUICE_OPTION',
          message: expect.stringMatching(/: durability: expected none with a cluster/),
        };
        await expect(openSale(0, { redis, items, durability })).rejects.toMatchObject(refused);
        // Neither through a port that was duplicated.
        const other = await redis.duplicate('k');
        await expect(openSale(0, { redis: other, items, durability })).rejects.toMatchObject(refused);
        other.close();
      }
      await openSale(0, { redis, items, durability: { replicas: 0, fsync: false } });
    },
  );

  it.skipIf(missing).each(Object.keys(cluster))(
    'a sale goes on while its slot moves, with the client %s',
    async (client) => {
      const sale = newSale();
      const items = [{ sku: 7, quantity: 2_000, perUser: 1 }];
      const open = async () => {
        const redis = await cluster[client]?.(3);
        if (redis === undefined) throw new Error(client);
        return await openSale(0, { redis, sale, items, timeoutMs: 20_000 });
      };
      const stocks = [await open(), await open()];
      let isMoving = true;
      let won = 0;
      const selling = stocks.map(async (stock, i) => {
        for (let n = 0; isMoving || n < 20; n++) {
          const user = 2 * n + i;
          const answer = await stock.reserve({ sku: 7, quantity: 1, user, id: user });
          if (answer.ok && !answer.duplicate) won++;
          if (won % 10 === 0 && answer.ok) await stock.confirm(answer.reservation);
          if (won >= 1_500) return;
        }
      });
      expect(await moveSlot(`test:{${sale}}:items`)).toBeGreaterThan(5);
      isMoving = false;
      await Promise.all(selling);
      const counts = await stocks[0]?.counts(7);
      expect(counts).toMatchObject({ total: 2_000 });
      expect((counts?.reserved ?? 0) + (counts?.sold ?? 0)).toBe(won);
      await stocks[1]?.audit();
    },
  );
});
