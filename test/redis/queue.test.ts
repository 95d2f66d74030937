import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clients, connect, disconnect } from './clients.js';
import { newStream, order, queueOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

afterAll(async () => {
  disconnect();
  await endServers();
});

const cases = servers.flatMap((server) => clients.map((client) => ({ ...server, client })));

describe.each(servers)('RedisQueue on $binary', ({ binary, missing }) => {
  let server: Server;
  beforeAll(async () => {
    if (!missing) server = await Server.start(binary);
  });

  describe.each(cases.filter((one) => one.binary === binary))('with $client', ({ client }) => {
    it.skipIf(missing)('stores an order once by its id, and refuses the id with another body', async () => {
      const redis = await connect(server.port, client);
      const stream = newStream();
      const orders = queueOf(redis, stream);
      const first = await orders.push(order(1, 'a longer note'));
      expect(first).toEqual({ entry: expect.stringMatching(/^\d+-\d+$/), duplicate: false });
      // The longer text of an order before must not be in the bytes of this one.
      const second = await orders.push(order(2, 'short'));
      expect(await orders.push(order(1, 'a longer note'))).toEqual({ entry: first.entry, duplicate: true });
      expect(await orders.push(order(2, 'short'))).toEqual({ entry: second.entry, duplicate: true });
      await expect(orders.push(order(1, 'other'))).rejects.toMatchObject({ code: 'ERR_SLUICE_ID' });
      expect(await orders.depth()).toBe(2);
      expect(orders.stats()).toEqual({
        ...{ pushed: 2, duplicates: 2, full: 0, mismatches: 1, retries: 0, inFlight: 0 },
      });
    });

    it.skipIf(missing)('answers each order of a list for itself, and refuses beyond maxLength', async () => {
      const orders = queueOf(await connect(server.port, client), newStream(), { maxLength: 200 });
      await orders.push(order(3));
      const list = Array.from({ length: 300 }, (_, i) => order(i));
      const answers = await orders.pushMany([...list, order(5), order(5, 'other')]);
      const outcomes = answers.map((answer) => answer.outcome);
      expect(outcomes.slice(0, 200)).toEqual(Array(200).fill('stored'));
      expect(outcomes.slice(200)).toEqual([...Array(100).fill('full'), 'stored', 'id-mismatch']);
      expect(answers[3]).toMatchObject({ duplicate: true });
      expect(answers[300]).toMatchObject({ duplicate: true });
      expect(await orders.depth()).toBe(200);
      await expect(orders.push(order(999))).rejects.toMatchObject({ code: 'ERR_SLUICE_FULL' });
      expect(await orders.push(order(3))).toMatchObject({ duplicate: true });
    });

    it.skipIf(missing)('sends nothing of a list with a bad order, and names it', async () => {
      const orders = queueOf(await connect(server.port, client), newStream());
      const bad = orders.pushMany([order(1), { ...order(2), sku: -1 }]);
      await expect(bad).rejects.toMatchObject({ code: 'ERR_SLUICE_FIELD', field: 'sku', index: 1 });
      await expect(orders.push({ ...order(2), note: 'x'.repeat(25) })).rejects.toMatchObject({
        field: 'note',
      });
      expect(await orders.depth()).toBe(0);
    });
  });

  it.skipIf(missing)('remembers an id for rememberMs, and no longer', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await queueOf(redis, stream, { rememberMs: 60_000 }).push(order(7));
    const left = Number(await redis.send(['PTTL', `${stream}:id:7`]));
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
  });

  it.skipIf(missing)('remembers a long id by its hash', async () => {
    const { RedisQueue } = await import('sluice/redis');
    const { record, utf8 } = await import('sluice');
    const redis = await connect(server.port);
    const stream = newStream();
    const orders = new RedisQueue({ redis, stream, record: record({ key: utf8(1_000) }), id: 'key' });
    const long = '}{ key: \u{1F600}\n'.repeat(50);
    expect(await orders.push({ key: long })).toMatchObject({ duplicate: false });
    expect(await orders.push({ key: long })).toMatchObject({ duplicate: true });
    expect(await orders.push({ key: `${long.slice(0, -1)}!` })).toMatchObject({ duplicate: false });
    const keys = (await redis.send(['KEYS', `${stream}:id:*`.replace(/[{}]/g, '?')])) as string[];
    expect(keys).toHaveLength(2);
    expect(keys.every((key) => /:id:sha256:[0-9a-f]{64}$/.test(key))).toBe(true);
    await expect(orders.push({ key: '' })).rejects.toMatchObject({ code: 'ERR_SLUICE_FIELD', field: 'key' });
  });

  it.skipIf(missing)('keeps an order whole whose getter pushes another', async () => {
    const redis = await connect(server.port);
    const orders = queueOf(redis, newStream());
    const inner: Array<Promise<unknown>> = [];
    const sly = {
      orderId: 1,
      get sku() {
        inner.push(orders.push(order(2, 'inner')));
        return 77;
      },
      note: 'outer',
    };
    await orders.push(sly);
    await Promise.all(inner);
    expect(await orders.push({ orderId: 1, sku: 77, note: 'outer' })).toMatchObject({ duplicate: true });
    expect(await orders.push(order(2, 'inner'))).toMatchObject({ duplicate: true });
  });

  it.skipIf(missing)('ends at once with a typed error where the server refuses for good', async () => {
    const redis = await connect(server.port);
    const stream = newStream();
    await redis.send(['SET', stream, 'a text']);
    const orders = queueOf(redis, stream);
    await expect(orders.push(order(1))).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
    await expect(orders.depth()).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
    await expect(orders.audit()).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
  });

  it.skipIf(missing)('runs its script where the server has forgotten it', async () => {
    const redis = await connect(server.port);
    const orders = queueOf(redis, newStream());
    await orders.push(order(1));
    await redis.send(['SCRIPT', 'FLUSH']);
    expect(await orders.push(order(1))).toMatchObject({ duplicate: true });
  });

  it.skipIf(missing)('waits while memory is full, and stores the order when there is room', async () => {
    const redis = await connect(server.port);
    const orders = queueOf(redis, newStream());
    await redis.send(['CONFIG', 'SET', 'maxmemory', '1']);
    const pushed = orders.push(order(1));
    const given = await Promise.race([pushed, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))]);
    await redis.send(['CONFIG', 'SET', 'maxmemory', '0']);
    expect(given).toBe('waits');
    expect(await pushed).toMatchObject({ duplicate: false });
    expect(orders.stats().retries).toBeGreaterThan(0);
  });
});
