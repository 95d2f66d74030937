import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NewEntry, OpenStore, StoreFormat } from 'sluice/overflow';
import { type RedisPort, type RedisStoreOptions, redisStore } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { rejected } from '../thrown.js';
import { clients, connect, disconnect } from './clients.js';
import { TcpProxy } from './proxy.js';
import { newStream } from './scene.js';
import { endServers, noRedis, Server, servers } from './servers.js';

let server: Server;
let proxy: TcpProxy;
beforeAll(async () => {
  if (noRedis) return;
  server = await Server.start();
  proxy = await TcpProxy.before(server.port);
});
const children: ChildProcess[] = [];
afterEach(() => {
  disconnect();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await proxy?.close();
  await endServers();
});

const format: StoreFormat = { schema: 7n, entryBytes: 16, lanes: 2 };

function entry(id: number, text = `entry ${id}`): NewEntry {
  return { id, lane: id % 2, bytes: new TextEncoder().encode(text.padEnd(format.entryBytes)) };
}

async function open(
  redis: RedisPort,
  more: Partial<RedisStoreOptions> & { stream: string },
): Promise<OpenStore> {
  return await redisStore({ redis, leaseMs: 600, timeoutMs: 2_000, ...more }).open(format);
}

/** The numbers of all entries that are intact, without counting a delivery. */
async function inStore(redis: RedisPort, stream: string): Promise<number[]> {
  const lanes = [stream, `${stream}:lane:1`];
  const all = await Promise.all(lanes.map((lane) => redis.send(['XRANGE', lane, '-', '+'])));
  return all
    .flatMap((entries) => (entries as Array<[string]>).map(([id]) => Number.parseInt(id, 10)))
    .sort((a, b) => a - b);
}

describe.each(clients)('redisStore with %s', (client) => {
  it.skipIf(noRedis)('appends entries once when the reply is lost, and when the call is', async () => {
    const redis = await connect(proxy.port, client);
    const stream = newStream();
    const store = await open(redis, { stream, timeoutMs: 20_000 });
    await store.append([entry(1)]); // so that the server knows the script
    const lost = proxy.cutAt('lost reply', { executes: true });
    await store.append([entry(2, 'lost reply'), entry(3)]);
    await lost;
    const early = proxy.cutAt('lost call', { executes: false });
    await store.append([entry(4, 'lost call')]);
    await early;
    expect(await inStore(await connect(server.port), stream)).toEqual([1, 2, 3, 4]);
    const taken = await store.take(0, 0, 10);
    expect(
      taken.map(({ id, deliveries, bytes }) => [id, deliveries, Buffer.from(bytes ?? []).toString()]),
    ).toEqual([
      [2, 1, 'lost reply      '],
      [4, 1, 'lost call       '],
    ]);
    await store.close();
  });

  it.skipIf(noRedis)('gives up when nothing answers, and goes on when something does', async () => {
    const redis = await connect(proxy.port, client);
    const stream = newStream();
    const store = await open(redis, { stream, timeoutMs: 300 });
    await store.append([entry(1)]);
    proxy.isHole = true;
    try {
      expect(await rejected(store.append([entry(2)]))).toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
      expect(await rejected(store.take(1, 0, 1))).toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
    } finally {
      proxy.isHole = false;
      proxy.cut();
    }
    let tries = 0;
    for (let id = 3; ; id++) {
      if ((await store.append([entry(id)]).catch(() => 'failed')) === undefined) break;
      expect(++tries).toBeLessThan(100); // the client connects again
    }
    expect(await inStore(await connect(server.port), stream)).toHaveLength(2);
    await store.close();
  });
});

/** A port that calls `between` instead of the real one for each command that is no renewal. */
function through(
  redis: RedisPort,
  between: (send: () => Promise<unknown>, args: readonly (string | Buffer)[]) => Promise<unknown>,
): RedisPort {
  return { ...redis, send: (args, options) => between(() => redis.send(args, options), args) };
}

describe('redisStore', () => {
  it.skipIf(noRedis)(
    'removes what an append has left that failed, and refuses one that is late',
    async () => {
      const real = await connect(server.port);
      const stream = newStream();
      let fault: 'after' | 'late' | undefined;
      let late: (() => Promise<unknown>) | undefined;
      const redis = through(real, async (send, args) => {
        if (fault === undefined || !args.some((arg) => arg.includes('fails'))) return await send();
        if (fault === 'after') await send();
        else late = send;
        throw new Error('NOPERM says the test');
      });
      const store = await open(redis, { stream });
      await store.append([entry(1), entry(2)]);
      fault = 'after';
      expect(await rejected(store.append([entry(3, 'fails'), entry(4)]))).toMatchObject({
        code: 'ERR_SLUICE_STORE_FAILED',
      });
      expect(await inStore(real, stream)).toEqual([1, 2, 3, 4]);
      await store.append([entry(5)]);
      expect(await inStore(real, stream)).toEqual([1, 2, 5]);
      fault = 'late';
      await rejected(store.append([entry(6, 'fails')]));
      await store.append([entry(7)]);
      expect(String(await late?.())).toBe('late');
      expect(await inStore(real, stream)).toEqual([1, 2, 5, 7]);
      await store.close();
      const next = await open(real, { stream });
      expect(next.content).toEqual({ lanes: [1, 3], lastId: 7, lost: 0, damage: undefined });
      await next.close();
    },
  );

  it.skipIf(noRedis)('refuses entries beyond maxRecords, as a whole, and trims none', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const store = await open(redis, { stream, maxRecords: 3 });
    await store.append([entry(1), entry(2)]);
    expect(await rejected(store.append([entry(3), entry(4)]))).toMatchObject({
      code: 'ERR_SLUICE_FULL',
    });
    await store.append([entry(5)]);
    expect(await inStore(redis, stream)).toEqual([1, 2, 5]);
    await store.remove(0, [2]);
    await store.append([entry(6)]);
    expect(await inStore(redis, stream)).toEqual([1, 5, 6]);
    await store.close();
  });

  it.skipIf(noRedis)(
    'is refused while its owner lives, and free at once when that has closed it',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      const store = await open(redis, { stream });
      expect(await rejected(open(redis, { stream }))).toMatchObject({ code: 'ERR_SLUICE_STORE_LOCKED' });
      await store.close();
      const leases = await redis.send(['EXISTS', `${stream}:store:lease`]);
      expect(leases).toBe(0);
      await (await open(redis, { stream })).close();
    },
  );

  it.skipIf(noRedis)(
    'refuses what a process sends that stood still until another one had the store',
    async () => {
      const redis = await connect(server.port);
      writeFileSync(join(server.directory, 'port'), String(server.port));
      const program = fileURLToPath(new URL('../overflow/programs/store.js', import.meta.url));
      const module = new URL('../overflow/stores/node-redis.js', import.meta.url).href;
      const child = spawn(process.execPath, [program, module, server.directory, 'write'], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.push(child);
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      const closed = once(child, 'close');
      await once(child.stdout, 'data');
      child.kill('SIGSTOP');
      child.stdout.resume();
      const { entryOf, format: theirs } = await import('../overflow/programs/entries.js');
      const store = await redisStore({ redis, stream: 'shop:{x1}:overflow', leaseMs: 60_000 }).open(theirs);
      const { lastId } = store.content;
      expect(lastId).toBeGreaterThan(0);
      await store.append([entryOf(lastId + 1)]);
      child.kill('SIGCONT');
      await closed;
      expect(stderr).toContain('ERR_SLUICE_STORE_LOCKED');
      expect(Math.max(...(await inStore(redis, 'shop:{x1}:overflow')))).toBe(lastId + 1);
      await store.close();
    },
  );

  it.skipIf(noRedis)(
    'keeps its lease when the server has let it run out, and nobody has taken it',
    async () => {
      const redis = await connect(server.port);
      const stream = newStream();
      const store = await open(redis, { stream });
      await redis.send(['DEL', `${stream}:store:lease`]);
      await store.append([entry(1)]);
      expect(await redis.send(['EXISTS', `${stream}:store:lease`])).toBe(1);
      await store.close();
    },
  );

  it.skipIf(noRedis)('says what is missing, what is foreign, and what is no store', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const store = await open(redis, { stream });
    await store.append([entry(1), entry(2), entry(3), entry(4), entry(5)]);
    await redis.send(['XDEL', `${stream}:lane:1`, '3-0']);
    await redis.send(['XADD', stream, '4-7', 'some', 'thing']); // has no number of its own
    await redis.send(['XADD', stream, '6-0', 'some', 'thing']);
    await store.close();
    const next = await open(redis, { stream });
    // The deleted one and the added ones cannot be told from each other by counting.
    expect(next.content).toMatchObject({ lanes: [4, 2], lastId: 6, lost: 0 });
    const taken = await next.take(0, 0, 10);
    expect(taken.map(({ id, bytes }) => [id, bytes !== undefined])).toEqual([
      [2, true],
      [4, true],
      [6, false],
    ]);
    await redis.send(['XDEL', stream, '2-0', '4-0']);
    await redis.send(['XADD', stream, '*', 'some', 'thing']);
    expect(await rejected(next.append([entry(8)]))).toMatchObject({ code: 'ERR_SLUICE_STORE_DAMAGED' });
    await redis.send(['XDEL', `${stream}:lane:1`, '1-0']);
    await next.close();
    const third = await open(redis, { stream });
    expect(third.content).toMatchObject({ lost: 2, damage: expect.stringContaining('2 entries') });
    const after = third.content.lastId + 1;
    await third.append([entry(after)]);
    await redis.send(['DEL', `${stream}:store`]);
    expect(await rejected(third.append([entry(after + 1)]))).toMatchObject({
      code: 'ERR_SLUICE_STORE_DAMAGED',
      message: expect.stringContaining('has lost it'),
    });
    await third.close();
    // Its entries are there, but what they are is not.
    expect(await rejected(open(redis, { stream }))).toMatchObject({ code: 'ERR_SLUICE_LAYOUT' });
    await redis.send(['SET', `${stream}:text`, 'x']);
    expect(await rejected(open(redis, { stream: `${stream}:text` }))).toMatchObject({
      code: 'ERR_SLUICE_LAYOUT',
    });
  });

  it.skipIf(noRedis)('takes as many as it is asked for, in pages that are not too large', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    const large = { schema: 7n, entryBytes: 300_000, lanes: 1 };
    const store = await redisStore({ redis, stream }).open(large);
    const bytes = new Uint8Array(large.entryBytes).fill(5);
    await store.append(Array.from({ length: 10 }, (_, i) => ({ id: i + 1, lane: 0, bytes })));
    const taken = await store.take(0, 1, 8);
    expect(taken.map(({ id }) => id)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
    expect(
      taken.every(
        (one) => one.deliveries === 1 && Buffer.compare(one.bytes ?? bytes.subarray(1), bytes) === 0,
      ),
    ).toBe(true);
    expect(await store.take(0, 9, 8)).toHaveLength(1);
    await store.close();
  });

  it.each([
    ['no list', 'OK'],
    ['nothing', null],
    ['an unknown word', ['welcome', '0', '0', '0', '0', '0']],
    ['too little', ['open', '0', '1', '1']],
    ['a count that is none', ['open', '0', '-1', '0', '0', '0']],
    ['a count that is too long', ['open', '99999999999999999999999999', '0', '0', '0', '0']],
  ])('is not opened by a reply that is %s', async (_, reply) => {
    const redis = { send: async () => reply, duplicate: () => Promise.reject(new Error('no')), close() {} };
    expect(await rejected(open(redis, { stream: 'a' }))).toMatchObject({
      code: 'ERR_SLUICE_STORE_FAILED',
      message: expect.stringMatching(/^a: the server has sent/),
    });
  });

  it.each([
    ['no list', 7],
    ['more entries than it was asked for', ['taken', '3', ...Array(3).fill(['1', '1', 'x']).flat()]],
    ['more values than entries', ['taken', '1', '1', '1', 'x', '2', '1', 'x']],
    ['half an entry', ['taken', '1', '1', '1']],
    ['a number that is too small', ['taken', '1', '0', '1', 'x']],
    ['a number that is too large', ['taken', '1', '9999999999999999', '1', 'x']],
    ['a number twice', ['taken', '2', '5', '1', 'x', '5', '1', 'x']],
    ['too many deliveries', ['taken', '1', '5', '2147483648', 'x']],
    ['no delivery', ['taken', '1', '5', '0', 'x']],
    ['numbers in no order', ['taken', '2', '5', '1', 'x', '3', '1', 'x']],
  ])('takes nothing from a reply that is %s', async (_, reply) => {
    let isOpen = false;
    const send = async (): Promise<unknown> => {
      if (isOpen) return reply;
      isOpen = true;
      return ['open', '0', '1', '9', '0', '0'];
    };
    const store = await open(
      { send, duplicate: () => Promise.reject(new Error('no')), close() {} },
      { stream: 'a' },
    );
    expect(await rejected(store.take(0, 0, 2))).toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
    await store.close();
  });
});

describe.each(servers)('redisStore on a $binary that refuses', ({ binary, missing }) => {
  it.skipIf(missing)('is full when the server has no memory, and lets entries out', async () => {
    const own = await Server.start(binary, ['--maxmemory-policy', 'noeviction']);
    const redis = await connect(own.port);
    const stream = newStream();
    const store = await open(redis, { stream });
    await store.append([entry(1), entry(2)]);
    await redis.send(['CONFIG', 'SET', 'maxmemory', '1']);
    expect(await rejected(store.append([entry(3), entry(4)]))).toMatchObject({
      code: 'ERR_SLUICE_FULL',
      cause: expect.any(Error),
    });
    expect(await inStore(redis, stream)).toEqual([1, 2]);
    await store.close();
    const next = await open(redis, { stream });
    expect(await next.take(0, 0, 5)).toMatchObject([{ id: 2, deliveries: 1 }]);
    await next.remove(0, [2]);
    expect(await inStore(redis, stream)).toEqual([1]);
    expect(await rejected(open(redis, { stream: newStream() }))).toMatchObject({
      code: 'ERR_SLUICE_FULL',
    });
    await redis.send(['CONFIG', 'SET', 'maxmemory', '0']);
    await next.append([entry(5)]);
    expect(await inStore(redis, stream)).toEqual([1, 5]);
    await next.close();
    await own.end('SIGKILL');
  });

  it.skipIf(missing)('says that it is a replica, or that the user may not write', async () => {
    const own = await Server.start(binary);
    const redis = await connect(own.port);
    const stream = newStream();
    const store = await open(redis, { stream, timeoutMs: 300 });
    await redis.send(['REPLICAOF', '127.0.0.1', '1']);
    const calls = [
      () => store.append([entry(1)]),
      () => open(redis, { stream: newStream(), timeoutMs: 300 }),
    ];
    for (const call of calls) {
      expect(await rejected(call())).toMatchObject({
        code: 'ERR_SLUICE_STORE_FAILED',
        message: expect.stringContaining('READONLY'),
        cause: expect.any(Error),
      });
    }
    await redis.send(['REPLICAOF', 'NO', 'ONE']);
    await store.append([entry(2)]);
    await redis.send(['ACL', 'SETUSER', 'default', '-xadd']);
    expect(await rejected(store.append([entry(3)]))).toMatchObject({
      code: 'ERR_SLUICE_STORE_FAILED',
      message: expect.stringMatching(/NOPERM|permission|can't run this command/),
    });
    await redis.send(['ACL', 'SETUSER', 'default', '+xadd']);
    expect(await inStore(redis, stream)).toEqual([2]);
    await store.close();
    await own.end('SIGKILL');
  });
});
