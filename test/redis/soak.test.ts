import { afterAll, afterEach, expect, it } from 'vitest';
import { run } from '../program.js';
import { connect, disconnect } from './clients.js';
import { openCounter } from './gate/counter.js';
import { endServers, noRedis, Server } from './servers.js';
import { leaveSales } from './stock/sales.js';

afterEach(async () => {
  await leaveSales();
  disconnect();
});
afterAll(endServers);

/** How many orders the larger crowd has: `SLUICE_SOAK_ORDERS=1000000 npm run soak`. A multiple of 1,000. */
const most = Number(process.env['SLUICE_SOAK_ORDERS'] ?? 40_000);
const parts = 4;
const perUser = 2;
const program = new URL('./programs/crowd.js', import.meta.url);

const crowds = [
  { what: 'of whom few win', orders: most, quantity: most / 200, users: most / 4 },
  { what: 'of whom many win', orders: most / 10, quantity: most / 20, users: most / 20 },
];

interface Report {
  readonly answers: Readonly<Record<string, number>>;
  readonly heap: readonly [half: number, end: number];
}

it.skipIf(noRedis).each(crowds)(
  `${parts} processes admit $orders orders, $what: each unit once, and memory stays flat`,
  async ({ orders, quantity, users }) => {
    const server = await Server.start('redis-server', ['--appendonly', 'yes', '--appendfsync', 'everysec']);
    const redis = await connect(server.port);
    const items = [{ sku: 1, quantity, perUser }];
    const counter = await openCounter(redis, {
      items,
      holdMs: 3_600_000,
      movements: 0,
      maxLength: 1_000_000,
    });
    const { sale, stream, stock } = counter;
    const reports = await Promise.all(
      Array.from({ length: parts }, async (_, part): Promise<Report> => {
        const client = part % 2 === 0 ? 'redis' : 'ioredis';
        const options = { prefix: 'test', sale, items, holdMs: 3_600_000, movements: 0 };
        const given = { port: server.port, client, stream, orders, parts, part, users, ...options };
        const how = { execArgv: ['--expose-gc'], patienceMs: 110_000 };
        const { code, stdout, stderr } = await run(program, [JSON.stringify(given)], how);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        return JSON.parse(stdout);
      }),
    );
    const sum = (answer: string): number => reports.reduce((n, { answers }) => n + (answers[answer] ?? 0), 0);
    const [admitted, soldOut, limited] = [sum('admitted'), sum('sold-out'), sum('user-limit')];
    const again = sum('admitted before') + sum('already-failed');
    console.log(
      `${admitted} admitted, ${soldOut} sold out, ${limited} over the limit, ${again} answered again`,
    );
    expect(admitted + soldOut + limited + again).toBe(orders);
    expect(admitted).toBe(quantity);
    const counts = { total: quantity, available: 0, leased: 0, reserved: quantity, sold: 0 };
    expect(await stock.counts(1)).toMatchObject(counts);
    expect(await stock.audit()).toEqual({ items: 1, held: quantity });
    expect(await counter.depth()).toBe(quantity);
    for (const { heap } of reports) expect(heap[1] - heap[0]).toBeLessThan(8 * 2 ** 20);
    // The server remembers the orders that it was asked for, not those that a process refused by itself.
    const [, used] = /used_memory:(\d+)/.exec(String(await redis.send(['INFO', 'memory']))) ?? [];
    expect(Number(used)).toBeLessThan(16 * 2 ** 20 + quantity * 2_048);
  },
  120_000,
);
