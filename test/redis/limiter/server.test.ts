import type { RedisPort } from 'sluice/redis';
import { RedisLimiter } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clients, connect, disconnect } from '../clients.js';
import { tampered } from '../ports.js';
import { TcpProxy } from '../proxy.js';
import { until } from '../scene.js';
import { endServers, Server, servers } from '../servers.js';
import { closeLimiters, newName, open } from './scene.js';

const bucket = { tokenBucket: { ratePerSecond: 1, burst: 10 } };
const both = { ...bucket, slidingWindow: { limit: 8, windowMs: 60_000 } };

describe.each(servers)('On $binary', ({ binary, missing }) => {
  let server: Server;
  let proxy: TcpProxy;
  let admin: RedisPort;
  beforeAll(async () => {
    if (missing) return;
    server = await Server.start(binary);
    proxy = await TcpProxy.before(server.port);
    admin = await connect(server.port);
  });
  afterEach(closeLimiters);
  afterAll(async () => {
    await proxy?.close();
    disconnect();
    await endServers();
  });

  describe.each(clients)('a limiter with %s', (client) => {
    it.skipIf(missing)(
      'shares its limit with other connections, also when the server forgets the script',
      async () => {
        const name = newName();
        const first = await open(await connect(server.port, client), { ...both, name });
        const second = await open(await connect(server.port, client), { ...both, name });
        expect(await first.tryAcquire({ cost: 5 })).toMatchObject({ allowed: true, remaining: 3 });
        await admin.send(['SCRIPT', 'FLUSH']);
        expect(await second.tryAcquire({ cost: 4 })).toMatchObject({ tier: 'sliding-window', window: 0 });
        expect(await second.tryAcquire({ cost: 3 })).toMatchObject({ allowed: true, remaining: 0 });
        expect(await first.peek()).toMatchObject({
          allowed: false,
          remaining: 0,
          tightest: 'sliding-window',
        });
        await first.penalty(1);
        await first.block(undefined, 5_000);
        expect(await second.peek()).toMatchObject({ tier: 'blocked' });
        await second.reset();
        expect(await first.peek()).toMatchObject({ allowed: true, remaining: 8 });
        expect(first.stats()).toMatchObject({ allowed: 1, retries: 0, waiting: 0 });
      },
    );

    it.skipIf(missing)('a lost reply charges more, never less', async () => {
      const limiter = await open(await connect(proxy.port, client), bucket);
      expect(await limiter.allow()).toBe(true);
      const cut = proxy.cutAt('take', { executes: true });
      expect(await limiter.allow(undefined, 3)).toBe(true);
      await cut;
      expect(limiter.stats().retries).toBeGreaterThan(0);
      expect(await limiter.peek()).toMatchObject({ remaining: 3 }); // 1, and twice 3
      // A connection that was closed while it was idle is no matter.
      proxy.cut();
      expect(await limiter.allow(undefined, 3)).toBe(true);
    });

    it.skipIf(missing)('a refund whose reply is lost is not made twice', async () => {
      const limiter = await open(await connect(proxy.port, client), bucket);
      const mine = await limiter.tryAcquire({ cost: 4 });
      await limiter.allow(undefined, 4);
      const cut = proxy.cutAt('take', { executes: true });
      if (mine.allowed) mine.refund();
      await cut;
      await until('it was repeated', () => limiter.stats().retries > 0);
      expect(await limiter.peek()).toMatchObject({ remaining: 6 });
    });

    it.skipIf(missing)(
      'a penalty and a reward whose reply is lost reject, and are not repeated',
      async () => {
        const limiter = await open(await connect(proxy.port, client), bucket);
        await limiter.allow(undefined, 6);
        for (const op of ['penalty', 'reward'] as const) {
          const cut = proxy.cutAt(op, { executes: true });
          await expect(limiter[op](2)).rejects.toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
          await cut;
        }
        expect(await limiter.peek()).toMatchObject({ remaining: 4 });
        const reset = proxy.cutAt('reset', { executes: true });
        await limiter.reset(); // repeated
        await reset;
        expect(await limiter.peek()).toMatchObject({ remaining: 10 });
      },
    );

    it.skipIf(missing)('is unavailable while nothing answers, and goes on', async () => {
      const limiter = await open(await connect(proxy.port, client), {
        ...bucket,
        timeoutMs: 150,
        maxWaiting: 3,
      });
      expect(await limiter.allow()).toBe(true);
      proxy.isHole = true;
      const asked = Array.from({ length: 5 }, () => limiter.tryAcquire());
      const refusal = {
        allowed: false,
        tier: 'unavailable',
        window: undefined,
        oversized: false,
        retryAfterMs: 0,
      };
      expect(await Promise.all(asked)).toEqual(Array.from({ length: 5 }, () => refusal));
      expect(await limiter.peek()).toMatchObject({ ...refusal, remaining: 0, tightest: 'unavailable' });
      await expect(limiter.penalty(1)).rejects.toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
      await expect(limiter.block(undefined, 1)).rejects.toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
      expect(limiter.stats()).toMatchObject({ refused: { unavailable: 5 }, waiting: 0 });
      expect(limiter.refusal()).toBeUndefined();
      proxy.isHole = false;
      // The program's own connection is still the old one; the limiter has replaced its own.
      await until('it is back', async () => (await limiter.tryAcquire()).allowed);
      await limiter.close();
    });
  });

  it.skipIf(missing)('a server that is away at the start is no error', async () => {
    const kept = await Server.start(binary);
    const redis = await connect(kept.port);
    await kept.end('SIGKILL');
    const limiter = await open(redis, { ...bucket, timeoutMs: 100 });
    expect(await limiter.tryAcquire()).toMatchObject({ tier: 'unavailable' });
    await kept.start();
    await until('it is there', () => limiter.allow());
    await limiter.close();
    await kept.end('SIGKILL');
  });

  it.skipIf(missing)('a dry run allows what is unavailable', async () => {
    const limiter = await open(await connect(proxy.port), { ...bucket, enforce: false, timeoutMs: 100 });
    proxy.isHole = true;
    expect(await limiter.tryAcquire()).toMatchObject({ allowed: true, wouldRefuse: 'unavailable' });
    proxy.isHole = false;
    proxy.cut();
  });

  it.skipIf(missing)('requests of one turn are one call for each key, decided in their order', async () => {
    const sent: string[] = [];
    const redis = tampered(await connect(server.port), {
      send: (args, send) => {
        sent.push(String(args[0]));
        return send();
      },
    });
    const limiter = await open(redis, { ...bucket, keys: { max: 10 } });
    await limiter.allow('a', 0); // so that the server knows the script
    sent.length = 0;
    const costs = [3, 3, 3, 3, 1, 5, 0];
    const decisions = await Promise.all([
      ...costs.map((cost) => limiter.tryAcquire({ key: 'a', cost })),
      limiter.tryAcquire({ key: 'b' }),
    ]);
    expect(decisions.map(({ allowed }) => allowed)).toEqual([
      true,
      true,
      true,
      false,
      true,
      false,
      true,
      true,
    ]);
    expect(decisions.flatMap((decision) => (decision.allowed ? [decision.remaining] : []))).toEqual([
      7, 4, 1, 0, 0, 9,
    ]);
    expect(sent).toEqual(['EVALSHA', 'EVALSHA']);
    expect(await limiter.peek({ key: 'a' })).toMatchObject({ remaining: 0 });
  });

  it.skipIf(missing)('a thousand different costs in one turn are several calls, and one limit', async () => {
    const limiter = await open(await connect(server.port), {
      slidingWindow: { limit: 100_000, windowMs: 60_000 },
    });
    const costs = Array.from({ length: 1_000 }, (_, i) => i % 300);
    const decisions = await Promise.all(costs.map((cost) => limiter.tryAcquire({ cost })));
    let left = 100_000;
    expect(decisions.map(({ allowed }) => allowed)).toEqual(
      costs.map((cost) => {
        if (cost > left) return false;
        left -= cost;
        return true;
      }),
    );
    expect(await limiter.peek()).toMatchObject({ remaining: left });
    expect(limiter.stats().calls).toBe(8);
    for (const decision of decisions) if (decision.allowed) decision.refund();
    await until('all is back', async () => (await limiter.peek()).remaining === 100_000);
  });

  it.skipIf(missing)('a refusal is known here for its cost, as long as the server said', async () => {
    const limiter = await open(await connect(server.port), {
      tokenBucket: { ratePerSecond: 20, burst: 10 },
    });
    expect(limiter.refusal(undefined, 11)).toMatchObject({ oversized: true, tier: 'token-bucket' });
    expect(limiter.refusal()).toBeUndefined();
    await limiter.allow(undefined, 10);
    const { calls } = limiter.stats();
    const decision = await limiter.tryAcquire({ cost: 8 });
    expect(decision).toMatchObject({ allowed: false, tier: 'token-bucket' });
    const known = limiter.refusal(undefined, 8);
    expect(known).toMatchObject({ allowed: false, tier: 'token-bucket', oversized: false });
    expect(known?.retryAfterMs).toBeLessThanOrEqual(400);
    expect(await limiter.allow(undefined, 8)).toBe(false);
    expect(limiter.stats()).toMatchObject({ calls: calls + 1, refused: { 'token-bucket': 2 } });
    expect(limiter.refusal(undefined, 7)).toBeUndefined();
    await until('it may ask again, and is allowed', () => limiter.allow(undefined, 8));
    expect(await limiter.allow(undefined, 8)).toBe(false);
    await limiter.reward(10);
    expect(await limiter.allow(undefined, 8)).toBe(true);
  });

  it.skipIf(missing)('names of keys say nothing of what clients sent, and expire by themselves', async () => {
    await admin.send(['FLUSHALL']);
    const limiter = await open(await connect(server.port), {
      ...{ tokenBucket: { ratePerSecond: 4, burst: 10 }, prefix: 'p', name: 'k', keys: {} },
    });
    const hostile = [
      '}',
      '{',
      '',
      ' ',
      'p:{k}',
      '\ud800',
      '\ufffd',
      'x'.repeat(1_024),
      1,
      1n,
      '1',
      2n ** 8_191n,
    ];
    for (const key of hostile)
      expect(await limiter.tryAcquire({ key, cost: 10 })).toMatchObject({ allowed: true });
    for (const key of hostile)
      expect(await limiter.peek({ key, cost: 1 })).toMatchObject({ oversized: false });
    const names = (await admin.send(['KEYS', '*'])) as string[];
    expect(new Set(names).size).toBe(hostile.length);
    for (const name of names) {
      expect(name).toMatch(/^p:\{k:[\w-]{22}\}:limiter$/);
      expect(Number(await admin.send(['PTTL', name]))).toBeGreaterThan(0);
    }
    await until('all are gone', async () => ((await admin.send(['KEYS', '*'])) as string[]).length === 0);
  });

  it.skipIf(missing)('what the server refuses for good is an error', async () => {
    const name = newName();
    const redis = await connect(server.port);
    await admin.send(['RPUSH', `test:{${name}}:limiter`, 'x']);
    const failure = { code: 'ERR_SLUICE_REDIS', message: expect.stringContaining('WRONGTYPE') };
    await expect(open(redis, { ...bucket, name })).rejects.toMatchObject(failure);
    await admin.send(['DEL', `test:{${name}}:limiter`]);
    const limiter = await open(redis, { ...bucket, name });
    for (const value of ['x', '\x91\xa1x', '']) {
      await admin.send(['SET', `test:{${name}}:limiter`, Buffer.from(value, 'latin1')]);
      await expect(limiter.tryAcquire()).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
      await expect(limiter.penalty(1)).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
    }
    expect(limiter.stats()).toMatchObject({ waiting: 0, refused: { unavailable: 0 } });
    await limiter.reset().catch(() => {});
  });

  it.skipIf(missing)('new limits count what was charged under the old ones', async () => {
    const name = newName();
    const redis = await connect(server.port);
    const old = await open(redis, { name, slidingWindow: { limit: 10, windowMs: 60_000, buckets: 10 } });
    await old.allow(undefined, 6);
    const made = await open(redis, { name, slidingWindow: { limit: 10, windowMs: 90_000, buckets: 7 } });
    expect(await made.tryAcquire({ cost: 5 })).toMatchObject({ tier: 'sliding-window' });
    expect(await made.tryAcquire({ cost: 4 })).toMatchObject({ allowed: true, remaining: 0 });
  });

  it.skipIf(missing)('after close nothing is asked', async () => {
    const limiter = await open(await connect(server.port), bucket);
    const last = limiter.tryAcquire();
    await Promise.all([limiter.close(), limiter.close()]);
    expect(await last).toMatchObject({ allowed: true });
    for (const call of [
      () => limiter.tryAcquire(),
      () => limiter.allow(),
      () => limiter.peek(),
      () => limiter.penalty(1),
      () => limiter.reset(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
    }
    const decision = await last;
    if (decision.allowed) decision.refund(); // does nothing
    expect(() => Reflect.construct(RedisLimiter, [{}])).toThrow('RedisLimiter.open()');
  });
});
