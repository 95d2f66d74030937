import { readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { connect, disconnect } from './clients.js';
import { newStream, order, queueOf, running, untilDone, workersOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

afterEach(disconnect);
afterAll(endServers);

const always = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** Cuts the server's file within its last transaction, after the entry was added and before the id is remembered. */
function tear(server: Server): void {
  const folder = join(server.directory, 'appendonlydir');
  const file = readdirSync(folder).find((name) => name.includes('.incr.'));
  const path = join(folder, file ?? '');
  const text = readFileSync(path, 'latin1');
  const at = text.lastIndexOf('\r\nSET\r\n');
  expect(at).toBeGreaterThan(text.lastIndexOf('\r\nXADD\r\n'));
  truncateSync(path, at + 4);
}

describe.each(servers)('a file of $binary that ends within a script', ({ binary, missing }) => {
  it.skipIf(missing)('is noticed by audit(), and loses no order', async () => {
    const server = await Server.start(binary, always);
    const stream = newStream();
    let redis = await connect(server.port);
    await queueOf(redis, stream).push(order(1));
    await queueOf(redis, stream).push(order(2, 'torn'));
    disconnect();
    await server.end('SIGKILL');
    tear(server);
    await server.start(); // drops the half, and leaves it in the file
    redis = await connect(server.port);
    expect(await queueOf(redis, stream).depth()).toBe(1);
    expect((await queueOf(redis, stream).audit()).warnings).toEqual([
      expect.objectContaining({
        setting: 'aof-load-truncated',
        value: 'yes',
        why: expect.stringContaining('half'),
      }),
    ]);
    // Its client was not told that it is stored, or pushes again: then it is stored under a new entry.
    await queueOf(redis, stream).push(order(2, 'torn'));
    disconnect();
    await server.end('SIGKILL');
    await server.start(); // Redis 7.0 and Valkey 8.0 apply the half now
    redis = await connect(server.port);
    const orders = queueOf(redis, stream);
    const report = await orders.audit();
    const depth = await orders.depth();
    // A server that handles the torn file rightly has two entries, and nothing to report.
    expect(report).toMatchObject({ entries: depth, foreign: 0, orphans: 0, isPartial: false });
    expect(report.twice).toEqual(depth === 3 ? ['2'] : []);
    expect(report.unremembered).toEqual(depth === 3 ? ['2'] : []);
    const workers = workersOf(redis, stream);
    const seen: number[] = [];
    const run = running(workers, ({ orderId }) => seen.push(orderId));
    await untilDone(workers);
    await run.end();
    expect(new Set(seen)).toEqual(new Set([1, 2]));
  });

  it.skipIf(missing)('is refused at the start with aof-load-truncated no, until it is mended', async () => {
    const server = await Server.start(binary, [...always, '--aof-load-truncated', 'no']);
    const stream = newStream();
    const redis = await connect(server.port);
    await queueOf(redis, stream).push(order(1));
    await queueOf(redis, stream).push(order(2));
    expect((await queueOf(redis, stream).audit()).warnings).toEqual([]);
    disconnect();
    await server.end('SIGKILL');
    tear(server);
    await expect(server.start()).rejects.toThrow();
  });
});

describe.each(servers)('audit() on $binary', ({ binary, missing }) => {
  it.skipIf(missing)('counts foreign entries and orphans, and reads no more than it may', async () => {
    const server = await Server.start(binary);
    const redis = await connect(server.port);
    const stream = newStream();
    const orders = queueOf(redis, stream);
    await orders.pushMany(Array.from({ length: 1_200 }, (_, i) => order(i)));
    await redis.send(['XADD', stream, '*', 'a', 'b']);
    expect(await orders.audit()).toMatchObject({
      entries: 1_201,
      foreign: 1,
      orphans: 0,
      isPartial: false,
      twice: [],
    });
    expect(await orders.audit({ maxEntries: 600 })).toMatchObject({ entries: 600, isPartial: true });
    await redis.send(['DEL', `${stream}:id:700`]);
    await redis.send(['SET', `${stream}:id:701`, '1-1 other']);
    expect((await orders.audit()).unremembered).toEqual(['700', '701']);
    await redis.send(['XGROUP', 'CREATE', stream, 'g', '0']);
    const read = ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '3', 'STREAMS', stream, '>'];
    await redis.send(read);
    expect((await orders.audit()).orphans).toBe(0);
    const first = (await redis.send(['XRANGE', stream, '-', '+', 'COUNT', '2'])) as Array<[string, unknown]>;
    await redis.send(['XACK', stream, 'g', ...first.map(([id]) => id)]);
    expect((await orders.audit()).orphans).toBe(2); // acknowledged, and not deleted
    const named = (await orders.audit()).warnings.map(({ setting }) => setting);
    expect(named).toEqual(['appendonly', 'appendfsync', 'aof-load-truncated']);
  });
});
