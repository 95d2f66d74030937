import { once } from 'node:events';
import { Redis } from 'ioredis';
import { ioRedis, type RedisPort } from 'sluice/redis';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { order } from '../../gate/order.js';
import { forIoRedis } from '../client-options.js';
import { connect, disconnect } from '../clients.js';
import { openCounter, runOf } from '../gate/counter.js';
import { follow } from '../replicas.js';
import { until } from '../scene.js';
import { endServers, Server, servers } from '../servers.js';
import { leaveSales } from './sales.js';

const clients: Redis[] = [];
afterEach(async () => {
  await leaveSales();
  disconnect();
  for (const client of clients.splice(0)) client.disconnect();
});
afterAll(endServers);

/** Connects to the master that a Sentinel names. (`nodeRedis` refuses a client of `createSentinel`.) */
async function connectBy({ port }: Server): Promise<RedisPort> {
  const client = new Redis({ sentinels: [{ host: '127.0.0.1', port }], name: 'sale', ...forIoRedis });
  clients.push(client);
  client.on('error', () => {}); // the commands are rejected
  await once(client, 'ready');
  return ioRedis(client);
}

describe.each(servers)('With Sentinel of $binary', ({ binary, missing }) => {
  it.skipIf(missing)(
    'stock, gate and workers go on at the new master, and no acknowledged order is missing',
    async () => {
      const soon = ['--repl-diskless-sync-delay', '0'];
      const [master, replica] = [await Server.start(binary, soon), await Server.start(binary, soon)];
      await follow(replica, master.port);
      const sentinel = await Server.startSentinel(binary, master.port);
      const watch = await connect(sentinel.port, 'ioredis RESP 2');
      const says = async (what: string): Promise<string> =>
        String(await watch.send(['SENTINEL', what, 'sale']));
      await until(
        'it knows the replica',
        async () => (await says('replicas')).includes(String(replica.port)),
        30_000,
      );

      const counter = await openCounter(await connectBy(sentinel), {
        items: [{ sku: 1, quantity: 100 }],
        durability: { replicas: 1, timeoutMs: 200 },
        timeoutMs: 3_000,
      });
      const { gate, stock } = counter;
      const handled = new Set<bigint>();
      const run = runOf(counter.cashiers({ claimIdleMs: 1_000 }), ({ id }) => void handled.add(id));
      const told = new Set<number>();
      let next = 0;
      const sell = async (): Promise<void> => {
        while (next < 60) {
          const id = ++next;
          for (let outcome = ''; outcome !== 'admitted'; ) {
            ({ outcome } = await gate.admit(order(id)));
            expect(outcome).toMatch(/^(?:admitted|unavailable)$/);
          }
          told.add(id);
        }
      };
      const selling = Promise.all([sell(), sell(), sell(), sell()]);
      await until('some are admitted', () => told.size >= 20);
      await master.end('SIGKILL');
      // The new master needs a replica of its own, before it can settle with `replicas: 1`.
      const isNew = async () => (await says('get-master-addr-by-name')).includes(String(replica.port));
      await until('the replica is the master', isNew, 40_000);
      const promoted = await connect(replica.port);
      const role = async () => String(await promoted.send(['ROLE'])).startsWith('master');
      await until('and knows it', role, 40_000);
      await follow(await Server.start(binary, soon), replica.port);
      await selling;
      await until('all are handled', () => handled.size === 60, 30_000);
      await until('all are sold', async () => (await stock.counts(1)).sold === 60, 30_000);
      await until('the stream is empty', async () => (await counter.depth()) === 0);
      await run.end();
      expect(stock.stats()).toMatchObject({ revoked: 0 });
      expect(await stock.counts(1)).toMatchObject({ total: 100, reserved: 0, sold: 60 });
      expect(await stock.audit()).toEqual({ items: 1, held: 0 });
      // That is the new master's state, not a memory of the client's.
      const witness = await openCounter(promoted, { items: [{ sku: 1, quantity: 100 }], sale: counter.sale });
      for (const id of told) {
        expect(await witness.stock.find({ id: BigInt(id) })).toMatchObject({ state: 'confirmed' });
      }
    },
    120_000,
  );
});
