import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { connect, disconnect } from './clients.js';
import { endProcesses, timesDone, WorkerProcess } from './processes.js';
import { deadLetters, newStream, order, queueOf, until, workersOf } from './scene.js';
import { endServers, isInstalled, Server, servers } from './servers.js';

afterEach(async () => {
  await endProcesses();
  disconnect();
});
afterAll(endServers);

const messages = 6_000;
const deaths = 25;
const restarts = 2;
const concurrency = 8;
const processes = 4;
/** One order of so many fails always; of so many ends its process twice; of so many fails once. */
const [poisonOneIn, killsOneIn, onceOneIn] = [97, 1_501, 13];

function note(id: number): string {
  if (id % poisonOneIn === 0) return 'poison';
  if (id % killsOneIn === 0) return 'kills';
  return id % onceOneIn === 0 ? 'once' : '';
}

const runs = [
  { binary: 'redis-server', client: 'redis' },
  { binary: 'redis-server', client: 'ioredis' },
  { binary: 'valkey-server', client: 'redis' },
  { binary: 'valkey-server', client: 'ioredis' },
] as const;

describe.each(runs)('$binary with the client $client', ({ binary, client }) => {
  const missing = !(isInstalled(binary) && servers.length > 0);

  it.skipIf(missing)(
    `loses none of ${messages} orders while ${deaths} workers and ${restarts} times the server are killed`,
    async () => {
      const random = new SeededRandom(seed);
      const server = await Server.start(binary, ['--appendonly', 'yes', '--appendfsync', 'always']);
      const books = join(server.directory, 'books');
      mkdirSync(books);
      const redis = await connect(server.port);
      const stream = newStream();
      const orders = queueOf(redis, stream, { maxLength: 100_000 });
      const list = Array.from({ length: messages }, (_, i) => order(i + 1, note(i + 1)));
      const acknowledged = await orders.pushMany(list, { timeoutMs: 60_000 });
      expect(acknowledged.every(({ outcome }) => outcome === 'stored')).toBe(true);

      const options = {
        ...{
          port: server.port,
          client,
          stream,
          concurrency,
          blockMs: 300,
          claimIdleMs: 1_000,
          patrolMs: 100,
        },
        ...{ workMs: 100, maxDeliveries: 5, backoff: { baseMs: 20, maxMs: 200 } },
      };
      let [died, names, isOver] = [0, 0, false];
      const start = (i: number): void => {
        names++;
        const made = new WorkerProcess(books, `worker-${names}`, options);
        workers[i] = made;
        made.child.once('exit', () => {
          if (isOver) return;
          died++;
          start(i);
        });
      };
      const workers: WorkerProcess[] = [];
      for (let i = 0; i < processes; i++) start(i);

      const observer = workersOf(redis, stream);
      const left = async () => (await observer.backlog().catch(() => undefined))?.entries;
      const patience = performance.now() + 100_000;
      for (let killed = 0; ; ) {
        await sleep(150 + random.below(200));
        if (died < deaths) workers[random.below(processes)]?.child.kill('SIGKILL');
        if (killed < restarts && died > (killed + 1) * 6) {
          await server.end('SIGKILL');
          killed++;
          await server.start();
        }
        // Deaths stop when there are enough; a death while nothing is left to do shows nothing, but harms nothing.
        if (died >= deaths && killed === restarts && (await left()) === 0) break;
        expect(performance.now(), `${replay}: ${await left()} orders are left, ${died} died`).toBeLessThan(
          patience,
        );
      }
      isOver = true;
      const counted = await observer.backlog();
      await Promise.all(workers.map((one) => one.end()));

      const times = timesDone(books);
      const dead = (await deadLetters(redis, stream)).map(({ id }) => Number(id));
      const buried = new Set(dead);
      const ids = list.map(({ orderId }) => orderId);
      const missing = ids.filter((id) => !times.has(id) && !buried.has(id));
      const twice = [...times.values()].reduce((sum, n) => sum + n - 1, 0);
      const wronglyBuried = dead.filter((id) => note(id) !== 'poison');
      const poison = ids.filter((id) => note(id) === 'poison');
      console.log(
        `${died} deaths, ${restarts} restarts of the server, ${twice} handled again, ${dead.length} dead letters`,
      );
      expect({ missing, wronglyBuried, poison: poison.filter((id) => !buried.has(id)) }, replay).toEqual({
        ...{ missing: [], wronglyBuried: [], poison: [] },
      });
      // A restart of the server may cost each process the acknowledgement of what it has in hand.
      expect(twice, replay).toBeLessThanOrEqual((died + restarts * processes) * concurrency);
      expect(counted).toMatchObject({ entries: 0, pending: 0, unread: 0, waiting: 0 });
      await until('all consumers are gone', async () => {
        const consumers = (await redis.send(['XINFO', 'CONSUMERS', stream, 'cashiers'])) as unknown[];
        return consumers.length <= died + 1; // the dead ones, until they are forgotten, and ~left
      });
    },
    120_000,
  );
});
