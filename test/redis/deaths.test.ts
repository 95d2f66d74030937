import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RedisPort, RedisStock } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect, disconnect } from './clients.js';
import { openCounter, runOf } from './gate/counter.js';
import { closeLimiters, open as openLimiter } from './limiter/scene.js';
import { until } from './scene.js';
import { endServers, noRedis, Server } from './servers.js';
import { leaveSales, openSale } from './stock/sales.js';

const program = fileURLToPath(new URL('./programs/mortal.js', import.meta.url));
const children = new Set<ChildProcess>();
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  await closeLimiters();
  await leaveSales();
  disconnect();
});
afterAll(endServers);

const moments = ['before', 'run', 'answered'] as const;
const items = [
  { sku: 1, quantity: 9, perUser: 5 },
  { sku: 2, quantity: 4 },
];
/** More steps than a process has. */
const stepsMax = 60;
const together = 2;

type Line = Readonly<Record<string, unknown>>;

/** A sale in which a process has died. */
interface Scene {
  readonly sale: string;
  readonly told: readonly Line[];
}

interface Death {
  readonly scene: 'stock' | 'gate';
  readonly lease: unknown;
  readonly moment: (typeof moments)[number];
}

/** Lets a process die at each of its steps, each time in a new sale, and returns these sales. */
async function deaths(port: number, name: string, death: Death): Promise<Scene[]> {
  const scenes: Scene[] = [];
  let [next, isOver] = [1, false];
  const dieOnce = async (step: number): Promise<void> => {
    const sale = `${name}-${death.moment}-${step}`;
    const given = JSON.stringify({ port, sale, step, items, ...death });
    const child = spawn(process.execPath, [program, given], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.add(child);
    let written = '';
    child.stdout.on('data', (data) => {
      written += data;
    });
    const [[code, signal]] = await Promise.all([once(child, 'exit'), once(child.stdout, 'end')]);
    children.delete(child);
    if (signal !== 'SIGKILL' && code !== 0) throw new Error(`${sale}: ended with ${code} ${signal}`);
    isOver ||= code === 0;
    scenes.push({
      sale,
      told: written
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Line),
    });
  };
  const dieOnAndOn = async (): Promise<void> => {
    while (!isOver && next <= stepsMax) await dieOnce(next++);
  };
  await Promise.all(Array.from({ length: together }, dieOnAndOn));
  expect(isOver, 'a process that has no such step ends').toBe(true);
  return scenes;
}

/** What the callers were told of each order last. */
function statesIn(told: readonly Line[]): Map<string | number, string> {
  return new Map(
    told.flatMap((line) => ('state' in line ? [[line['id'], line['state']] as [string, string]] : [])),
  );
}

/** The sum of a value over all lines. */
function sumOf(told: readonly Line[], name: string): number {
  return told.reduce<number>((sum, line) => sum + Number(line[name] ?? 0), 0);
}

/** Another process sells what is left, and each unit is there once. */
async function sellsTheRest(stock: RedisStock, sku: number): Promise<void> {
  await until('no unit is leased', async () => (await stock.counts(sku)).leased === 0);
  const before = await stock.counts(sku);
  let sold = 0;
  while ((await stock.reserve({ sku, quantity: 1, user: `last ${sold}` })).ok) sold++;
  expect(sold).toBe(before.available);
  const { total, available, reserved, sold: paid } = await stock.counts(sku);
  expect({ available, taken: reserved + paid }).toEqual({ available: 0, taken: total });
  await stock.audit();
}

describe.skipIf(noRedis).each(moments)(
  'When a process dies at any of its steps (%s), the others',
  (moment) => {
    let server: Server;
    let redis: RedisPort;
    beforeAll(async () => {
      server = await Server.start();
    });

    it('sell the rest of a stock, and have all that it was told', async () => {
      const lease = { ttlMs: 400, marginMs: 40, heartbeatMs: 20 };
      const scenes = await deaths(server.port, 'stock', { scene: 'stock', lease, moment });
      redis = await connect(server.port);
      for (const { sale, told } of scenes) {
        const stock = await openSale(0, { redis, sale, items, lease: false });
        for (const [id, state] of statesIn(told)) {
          const found = await stock.find({ id });
          // The process may have died after it had ended the reservation, and before it was told.
          if (state === 'held') expect(found, `${sale}: ${id}`).toBeDefined();
          else expect(found?.state, `${sale}: ${id}`).toBe(state);
        }
        const { total } = await stock.counts(1);
        const isAdded = sumOf(told, 'added') > 0 || (sumOf(told, 'adds') > 0 && total === 14);
        expect(total, sale).toBe(isAdded ? 14 : 9);
        const { total: less } = await stock.counts(2);
        const isTaken = sumOf(told, 'taken') > 0 || (sumOf(told, 'takes') > 0 && less === 2);
        expect(less, sale).toBe(isTaken ? 2 : 4);
        for (const { sku } of items) await sellsTheRest(stock, sku);
        await stock.close();
      }
      expect(scenes.length).toBeGreaterThan(8);
      expect(scenes.some(({ told }) => statesIn(told).size === 3)).toBe(true);
    }, 600_000);

    it('admit the rest at a gate, and handle all orders that it was told are admitted, once', async () => {
      const scenes = await deaths(server.port, 'gate', { scene: 'gate', lease: false, moment });
      redis = await connect(server.port);
      for (const { sale, told } of scenes) {
        const tokenBucket = { ratePerSecond: 0.01, burst: 10 };
        const limiter = await openLimiter(redis, { name: sale, tokenBucket });
        const admitted = [...statesIn(told)].filter(([, state]) => state === 'admitted').map(([id]) => id);
        // Each order was charged once. The one of which it was not told may be charged, or not be refunded.
        expect(await limiter.allow(undefined, 10 - admitted.length + 1), sale).toBe(false);
        const asked = told.filter((line) => 'asks' in line).length;
        expect(await limiter.allow(undefined, 10 - asked), sale).toBe(true);
        await limiter.close();

        const { stock, depth, cashiers } = await openCounter(redis, { sale, items, lease: false });
        const handled: number[] = [];
        const run = runOf(
          cashiers({ claimIdleMs: 200, patrolMs: 20 }),
          ({ id }) => void handled.push(Number(id)),
        );
        await until('all orders are handled', async () => (await depth()) === 0);
        await run.end();
        expect(new Set(handled).size, sale).toBe(handled.length);
        for (const id of admitted)
          expect((await stock.find({ id }))?.state, `${sale}: ${id}`).toBe('confirmed');
        const { sold, reserved } = await stock.counts(1);
        const both = new Set([
          ...handled,
          ...told.flatMap(({ handles }) => (handles === undefined ? [] : [Number(handles)])),
        ]);
        expect({ sold, reserved }, sale).toEqual({ sold: both.size, reserved: 0 });
        await sellsTheRest(stock, 1);
        await stock.close();
      }
      expect(scenes.length).toBeGreaterThan(12);
    }, 600_000);
  },
);
