import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Hold } from 'sluice/redis';
import { afterAll, afterEach, expect, it } from 'vitest';
import { order } from '../../gate/order.js';
import { connect, disconnect } from '../clients.js';
import { until } from '../scene.js';
import { endServers, Server, servers } from '../servers.js';
import { leaveSales } from '../stock/sales.js';
import { openCounter, reservationOf, runOf } from './counter.js';

const program = fileURLToPath(new URL('../programs/cashier.js', import.meta.url));
const children = new Set<ReturnType<typeof spawn>>();
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  await leaveSales();
  disconnect();
});
afterAll(endServers);

for (const { binary, missing } of servers) {
  it.skipIf(missing)(
    `an order of a process that dies between confirmation and acknowledgement is handled again, and sold once (${binary})`,
    async () => {
      const { port } = await Server.start(binary);
      const { gate, stock, sale, stream, depth, cashiers } = await openCounter(await connect(port), {
        items: [{ sku: 1, quantity: 2 }],
      });
      const reservation = reservationOf(await gate.admit(order(1)));
      const child = spawn(process.execPath, [program, JSON.stringify({ port, sale, stream })], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      children.add(child);
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
      expect(await stock.counts(1)).toMatchObject({ sold: 1, reserved: 0 });
      expect(await depth()).toBe(1);

      const seen: Array<[Hold, string]> = [];
      const workers = cashiers({ claimIdleMs: 400, patrolMs: 30 });
      const run = runOf(workers, (_, hold) => void seen.push([hold, hold.confirm()]));
      await until('the order is handled again', async () => (await depth()) === 0);
      await run.end();
      expect(seen.length).toBe(1);
      expect(seen[0]?.[0]).toMatchObject({ reservation, deliveries: 2 });
      expect(seen[0]?.[1]).toBe('already-confirmed');
      expect(workers.stats()).toMatchObject({ handled: 1, unconfirmed: 0 });
      expect(await stock.counts(1)).toMatchObject({ sold: 1, reserved: 0, available: 1 });
      expect(await stock.audit()).toEqual({ items: 1, held: 0 });
    },
  );
}
