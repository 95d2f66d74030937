import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { replay, seed } from '../../seed.js';
import { SeededRandom } from '../../seeded-random.js';
import { connect, disconnect } from '../clients.js';
import { endProcesses, SellerProcess } from '../processes.js';
import { until } from '../scene.js';
import { endServers, isInstalled, Server } from '../servers.js';
import { leaveSales, openSale } from './sales.js';

afterEach(async () => {
  await endProcesses();
  await leaveSales();
  disconnect();
});
afterAll(endServers);

const quantity = 6_000;
const perUser = 3;
const users = 2_500;
const deaths = 8;
const pauses = 3;
const restarts = 2;
const processes = 4;
const sale = 'chaos';
const items = [{ sku: 7, quantity, perUser }];
const lease = { ttlMs: 600, marginMs: 60, heartbeatMs: 40 };

const runs = [
  { binary: 'redis-server', client: 'redis' },
  { binary: 'redis-server', client: 'ioredis' },
  { binary: 'valkey-server', client: 'redis' },
  { binary: 'valkey-server', client: 'ioredis' },
] as const;

/** Returns what the processes were told: for each id the last word. */
function told(directory: string): Map<string, string> {
  const words = new Map<string, string>();
  for (const file of readdirSync(directory)) {
    const lines = readFileSync(join(directory, file), 'utf8').split('\n');
    for (const line of lines.slice(0, -1)) {
      const [word = '', id = ''] = line.split(' ');
      words.set(id, word);
    }
  }
  return words;
}

describe.each(runs)('$binary with the client $client', ({ binary, client }) => {
  it.skipIf(!isInstalled(binary))(
    `sells each unit once while ${deaths} processes are killed, ${pauses} stand still, and the server restarts`,
    async () => {
      const random = new SeededRandom(seed);
      const server = await Server.start(binary, ['--appendonly', 'yes', '--appendfsync', 'always']);
      const books = join(server.directory, 'books');
      mkdirSync(books);
      const options = {
        ...{ port: server.port, client, prefix: 'test', sale, items, lease, users },
        ...{ holdMs: 600_000, timeoutMs: 5_000 },
      };
      let names = 0;
      const begin = async (): Promise<SellerProcess> => {
        const one = new SellerProcess(books, `seller-${++names}`, options);
        await one.ready();
        return one;
      };
      const sellers = await Promise.all(Array.from({ length: processes }, begin));
      const events = [
        ...Array<'death'>(deaths).fill('death'),
        ...Array<'pause'>(pauses).fill('pause'),
        ...Array<'restart'>(restarts).fill('restart'),
      ].sort(() => random.below(3) - 1);
      for (const event of events) {
        await sleep(50 + random.below(150));
        const at = random.below(processes);
        const one = sellers[at] as SellerProcess;
        if (event === 'death') {
          one.child.kill('SIGKILL');
          await one.exited;
          sellers[at] = await begin();
        } else if (event === 'pause') {
          one.child.kill('SIGSTOP');
          await sleep(2 * lease.ttlMs);
          one.child.kill('SIGCONT');
        } else {
          await server.end('SIGKILL');
          await server.start();
        }
      }
      await Promise.all(sellers.map((one) => one.end()));

      const stock = await openSale(0, { redis: await connect(server.port), sale, items, lease });
      await until('no unit is leased', async () => (await stock.counts(7)).leased === 0, 20_000);
      await stock.audit();
      const words = told(books);
      expect(words.size, replay).toBeGreaterThan(100);
      const missing: string[] = [];
      const check = async ([id, word]: [string, string]): Promise<void> => {
        const found = await stock.find({ id });
        // A caller that died may not have heard what came of its last call.
        const fits = word === 'reserved' ? found !== undefined : found?.state === word;
        if (!fits) missing.push(`${id}: told ${word}, found ${found?.state}`);
      };
      const list = [...words];
      for (let at = 0; at < list.length; at += 64) await Promise.all(list.slice(at, at + 64).map(check));
      expect(missing, replay).toEqual([]);
      // The rest is sold now: every unit exactly once.
      for (let user = users, refused = 0; refused === 0; user += 64) {
        const some = Array.from({ length: 64 }, (_, i) =>
          stock.reserve({ sku: 7, quantity: 1, user: user + i }),
        );
        refused = (await Promise.all(some)).filter(({ ok }) => !ok).length;
      }
      const { total, available, reserved, sold } = await stock.counts(7);
      expect({ total, available, taken: reserved + sold }, replay).toEqual({
        ...{ total: quantity, available: 0, taken: quantity },
      });
      await stock.audit();
    },
    180_000,
  );
});
