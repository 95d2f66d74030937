import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { order } from '../../gate/order.js';
import { replay, seed } from '../../seed.js';
import { SeededRandom } from '../../seeded-random.js';
import { connect, disconnect } from '../clients.js';
import { endProcesses, ShopProcess } from '../processes.js';
import { until } from '../scene.js';
import { endServers, isInstalled, Server } from '../servers.js';
import { leaveSales } from '../stock/sales.js';
import { openCounter, runOf } from './counter.js';

afterEach(async () => {
  await endProcesses();
  await leaveSales();
  disconnect();
});
afterAll(endServers);

const quantity = 1_500;
const perUser = 5;
const items = [{ sku: 1, quantity, perUser }];
const lease = { ttlMs: 600, marginMs: 60, heartbeatMs: 40 };
const processes = 3;
const deaths = 4;
const restarts = 2;

const runs = [
  { binary: 'redis-server', client: 'ioredis' },
  { binary: 'valkey-server', client: 'redis' },
] as const;

/** Reads what the shops were told and did: the ids that were admitted, and how often each was handled. */
function booked(directory: string) {
  const admitted = new Set<number>();
  const handled = new Map<number, number>();
  for (const file of readdirSync(directory)) {
    for (const line of readFileSync(join(directory, file), 'utf8').split('\n')) {
      const [, word, digits] = /^(admitted )?(\d+)$/.exec(line) ?? [];
      if (digits === undefined) continue; // the end of the file, or a line that a death has cut off
      if (word !== undefined) admitted.add(Number(digits));
      else handled.set(Number(digits), (handled.get(Number(digits)) ?? 0) + 1);
    }
  }
  return { admitted, handled };
}

describe.each(runs)('Shops on $binary with the client $client', ({ binary, client }) => {
  it.skipIf(!isInstalled(binary))(
    `handle and sell each admitted order while ${deaths} of them and ${restarts} times the server are killed`,
    async () => {
      const random = new SeededRandom(seed);
      const server = await Server.start(binary, ['--appendonly', 'yes', '--appendfsync', 'always']);
      const books = join(server.directory, 'books');
      mkdirSync(books);
      const sale = 'chaos';
      const stream = `test:{${sale}}:orders`;
      let names = 0;
      const begin = (): ShopProcess => {
        const first = ++names * 1_000_000;
        const options = { port: server.port, client, prefix: 'test', sale, stream, items, lease, first };
        return new ShopProcess(books, `shop-${names}`, { ...options, holdMs: 600_000 });
      };
      const shops = Array.from({ length: processes }, begin);
      await Promise.all(shops.map((one) => one.ready()));
      const events = [
        ...Array<'death'>(deaths).fill('death'),
        ...Array<'restart'>(restarts).fill('restart'),
      ].sort(() => random.below(3) - 1);
      const at = random.below(processes);
      const sells = async (): Promise<void> => {
        const before = booked(books);
        const isMore = ({ admitted, handled }: typeof before) =>
          admitted.size > before.admitted.size + 20 && handled.size > before.handled.size + 10;
        await until('they sell', () => isMore(booked(books)), 60_000);
      };
      for (const [i, event] of events.entries()) {
        await sells();
        await sleep(random.below(50));
        if (event === 'death') {
          // The next of them; the one after it sells while this one begins anew.
          const which = (at + i) % processes;
          shops[which]?.child.kill('SIGKILL');
          await shops[which]?.exited;
          shops[which] = begin();
        } else {
          await server.end('SIGKILL');
          await server.start();
        }
      }
      await sells();
      // The last ones die, too: what they have in hand is for others.
      await endProcesses();

      const counter = await openCounter(await connect(server.port), { items, lease, sale });
      const { stock, gate } = counter;
      const last = new Map<number, number>();
      const run = runOf(counter.cashiers({ claimIdleMs: 1_000 }), ({ id }) => {
        last.set(Number(id), (last.get(Number(id)) ?? 0) + 1);
      });
      await until('the stream is empty', async () => (await counter.depth()) === 0, 30_000);
      await until('no unit is leased', async () => (await stock.counts(1)).leased === 0, 30_000);
      const { admitted, handled } = booked(books);
      const done = new Set([...handled.keys(), ...last.keys()]);
      expect(admitted.size, replay).toBeGreaterThan(100);
      expect(handled.size, replay).toBeGreaterThan(50);
      expect(
        [...admitted].filter((id) => !done.has(id)),
        `${replay}: admitted, and not handled`,
      ).toEqual([]);
      const states = new Map<number, string | undefined>();
      const ids = [...done];
      for (let at = 0; at < ids.length; at += 64) {
        const look = async (id: number) => void states.set(id, (await stock.find({ id: BigInt(id) }))?.state);
        await Promise.all(ids.slice(at, at + 64).map(look));
      }
      const unsold = ids.filter((id) => states.get(id) !== 'confirmed');
      expect(unsold, `${replay}: handled, and not confirmed`).toEqual([]);
      // Each handled order has one unit, and nothing else has one: none was sold twice, and no unit is out of sight.
      const counts = { total: quantity, reserved: 0, leased: 0, sold: done.size };
      expect(await stock.counts(1), replay).toMatchObject({ ...counts, available: quantity - done.size });
      expect(await stock.audit(), replay).toEqual({ items: 1, held: 0 });

      // The rest is sold now: every unit exactly once.
      const admit = async (id: number): Promise<string> => {
        for (;;) {
          const { outcome } = await gate.admit(order(id, { user: 10_000 + id }));
          if (outcome !== 'unavailable') return outcome;
        }
      };
      for (let id = 1, isOver = false; !isOver; id += 64) {
        const outcomes = await Promise.all(Array.from({ length: 64 }, (_, i) => admit(id + i)));
        isOver = outcomes.includes('sold-out');
      }
      await until('all is sold', async () => (await stock.counts(1)).sold === quantity, 60_000);
      await run.end();
      const end = { total: quantity, available: 0, leased: 0, reserved: 0, sold: quantity };
      expect(await stock.counts(1), replay).toMatchObject(end);
      await stock.audit();
    },
    240_000,
  );
});
