import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { connect, disconnect } from './clients.js';
import { endProcesses, timesDone, WorkerProcess } from './processes.js';
import { newStream, order, queueOf, until, untilDone, workersOf } from './scene.js';
import { endServers, noRedis, Server } from './servers.js';

afterEach(async () => {
  await endProcesses();
  disconnect();
});
afterAll(endServers);

it.skipIf(noRedis).each(['redis', 'ioredis'])(
  'a process that stands still longer than claimIdleMs loses its orders to another, and none is lost: %s',
  async (client) => {
    const server = await Server.start();
    const books = join(server.directory, 'books');
    mkdirSync(books);
    const redis = await connect(server.port);
    const stream = newStream();
    const concurrency = 4;
    const options = {
      ...{ port: server.port, client, stream, concurrency, workMs: 40 },
      ...{ claimIdleMs: 400, blockMs: 100, patrolMs: 50 },
    };
    const still = new WorkerProcess(books, 'still', options);
    await still.ready();
    await queueOf(redis, stream).pushMany(Array.from({ length: 200 }, (_, i) => order(i)));
    await until('it has done some', () => timesDone(books).size > 20);
    still.child.kill('SIGSTOP');
    const other = new WorkerProcess(books, 'other', options);
    const observer = workersOf(redis, stream);
    await untilDone(observer, 30_000);
    still.child.kill('SIGCONT');
    await until('both have ended', async () => {
      await Promise.all([still.end(), other.end()]);
      return true;
    });
    const times = timesDone(books);
    expect(times.size).toBe(200);
    expect([...times.values()].reduce((sum, n) => sum + n - 1, 0)).toBeLessThanOrEqual(concurrency);
    expect(await observer.backlog()).toMatchObject({ entries: 0, pending: 0 });
  },
);
