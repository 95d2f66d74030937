import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { RedisStock } from 'sluice/redis';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { disconnect } from '../clients.js';
import { until } from '../scene.js';
import { endServers, Server, servers } from '../servers.js';
import { leaveSales, openSale } from './sales.js';

afterEach(async () => {
  await leaveSales();
  disconnect();
});
afterAll(endServers);

const sku = 7;
const quantity = 12;
/** What becomes of two reservations of two units each, in one batch. */
const steps = {
  reserve: { act: (stock: RedisStock) => [stock.reserve({ sku, quantity: 1, user: 3, id: 3 })], left: 7 },
  confirm: { act: (stock: RedisStock, first: bigint) => [stock.confirm(first)], left: 8 },
  cancel: { act: (stock: RedisStock, first: bigint) => [stock.cancel(first)], left: 10 },
  restock: { act: (stock: RedisStock) => [stock.restock(sku, 4)], left: 12 },
  'all in one batch': {
    act: (stock: RedisStock, first: bigint, second: bigint) => [
      ...steps.reserve.act(stock),
      stock.confirm(first),
      stock.cancel(second),
      stock.restock(sku, 4),
    ],
    left: 13,
  },
};
type Step = keyof typeof steps;

/** Returns places in the server's file at which its last script can end: one within each of the script's commands. */
function placesInScript(server: Server): { path: string; places: number[] } {
  const folder = join(server.directory, 'appendonlydir');
  const path = join(folder, readdirSync(folder).find((name) => name.includes('.incr.')) ?? '');
  const text = readFileSync(path, 'latin1');
  // The last script that changed a number of the item: the script that ends a connection may come after it.
  const number = Math.max(...['free', 'held', 'total'].map((name) => text.lastIndexOf(`n${sku}|${name}`)));
  const begin = text.lastIndexOf('$5\r\nMULTI\r\n', number);
  const end = text.indexOf('$4\r\nEXEC\r\n', begin);
  const commands = text.slice(begin, end).matchAll(/\r\n(?=\*\d+\r\n\$)/g);
  return { path, places: [...commands].map(({ index }) => begin + index + 8) };
}

/** Does `step` on a server that writes all to its file, and ends the file at the place `at` of the step's script. */
async function torn(binary: (typeof servers)[number]['binary'], step: Step, at: number) {
  const server = await Server.start(binary, ['--appendonly', 'yes', '--appendfsync', 'always']);
  const items = [{ sku, quantity, perUser: 3 }];
  const lease = { ttlMs: 60_000, heartbeatMs: 10_000 }; // so that no heartbeat comes between
  const stock = await openSale(server.port, { items, lease, timeoutMs: 20_000 });
  const [first, second] = await Promise.all([
    stock.reserve({ sku, quantity: 2, user: 1, id: 1 }),
    stock.reserve({ sku, quantity: 2, user: 2, id: 2 }),
  ]);
  if (!first.ok || !second.ok) throw new Error('not reserved');
  await Promise.all(steps[step].act(stock, first.reservation, second.reservation));
  await server.end('SIGKILL');
  const { path, places } = placesInScript(server);
  if (at < places.length) truncateSync(path, places[at]);
  return { server, path, count: places.length, stock };
}

async function available(stock: RedisStock): Promise<number> {
  return (await stock.counts(sku)).available;
}

describe.each(servers)('A file of $binary that ends within a script of a sale', ({ binary, missing }) => {
  it.skipIf(missing)('loses nothing after check-aof, wherever it ends', { timeout: 120_000 }, async () => {
    for (let at = 0, cuts = 1; at < cuts; at++) {
      const { server, path, count, stock } = await torn(binary, 'all in one batch', at);
      cuts = count;
      expect(cuts).toBeGreaterThan(10);
      const check = binary.replace('server', 'check-aof');
      expect(spawnSync(check, ['--fix', path], { input: 'y\n' }).status).toBe(0);
      await server.start();
      // The next call finds that the server has lost what was settled, and says it again.
      expect(await stock.reserve({ sku, quantity: 1, user: 4, id: 4 })).toMatchObject({ ok: true });
      await server.end('SIGKILL');
      await server.start();
      await until('the stock answers', async () => (await stock.find({ id: 4 }))?.state === 'held');
      expect(await available(stock), `cut ${at} of ${cuts}`).toBe(steps['all in one batch'].left - 1);
      await stock.audit();
      await stock.close();
      await server.end('SIGKILL');
    }
  });

  it.skipIf(missing).each(['cancel', 'all in one batch'] as const)(
    'is noticed by audit() after the second start, wherever it ends: %s',
    async (step) => {
      let noticed = 0;
      for (let at = 0, cuts = 1; at < cuts; at++) {
        const { server, count, stock } = await torn(binary, step, at);
        cuts = count;
        expect(cuts).toBeGreaterThan(3);
        await server.start(); // drops the half, and leaves it in the file
        expect(await stock.reserve({ sku, quantity: 1, user: 4, id: 4 })).toMatchObject({ ok: true });
        await server.end('SIGKILL');
        await server.start(); // may apply the half
        await until('the stock answers', async () => (await stock.find({ id: 4 }))?.state === 'held');
        const found = await stock.audit().catch(({ code }) => code);
        if (found === 'ERR_SLUICE_AUDIT') noticed++;
        else
          expect([found, await available(stock)], `cut ${at} of ${cuts}`).toEqual([
            expect.anything(),
            steps[step].left - 1,
          ]);
        await stock.close();
        await server.end('SIGKILL');
      }
      expect(noticed).toBeGreaterThan(0);
    },
    120_000,
  );
});
