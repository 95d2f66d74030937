import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisPort } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect, disconnect } from '../clients.js';
import { tampered } from '../ports.js';
import { until } from '../scene.js';
import { endServers, noRedis, Server } from '../servers.js';
import { closeLimiters, newName, open, ServerClock } from './scene.js';

let server: Server;
let redis: RedisPort;
let clock: ServerClock | undefined;
beforeAll(async () => {
  if (noRedis) return;
  server = await Server.start();
  redis = await connect(server.port);
});
afterEach(async () => {
  clock?.end();
  clock = undefined;
  await closeLimiters();
});
afterAll(async () => {
  disconnect();
  await endServers();
});

const behaves = it.skipIf(noRedis);

describe("When the server's clock is set back", () => {
  behaves('what is charged stays charged for at least as long', async () => {
    clock = new ServerClock();
    const limiter = await open(clock.over(redis), {
      tokenBucket: { ratePerSecond: 10, burst: 5 },
      slidingWindow: { limit: 5, windowMs: 1_000, buckets: 10 },
    });
    await limiter.allow(undefined, 5);
    clock.us -= 10_000_000;
    expect(await limiter.tryAcquire()).toMatchObject({ tier: 'token-bucket', retryAfterMs: 1_100 });
    clock.advance(1_099);
    expect(await limiter.peek()).toMatchObject({ allowed: false, remaining: 0, retryAfterMs: 1 });
    clock.advance(1);
    expect(await limiter.tryAcquire({ cost: 5 })).toMatchObject({ allowed: true });
    clock.us -= 3_600_000_000;
    expect(await limiter.tryAcquire({ cost: 2 })).toMatchObject({ allowed: false });
    clock.advance(300);
    expect(await limiter.peek()).toMatchObject({ tier: 'sliding-window', retryAfterMs: 800 });
  });

  behaves('a block lasts as long as it was to, and a refund of a later time is none', async () => {
    clock = new ServerClock();
    const limiter = await open(clock.over(redis), { tokenBucket: { ratePerSecond: 1, burst: 5 } });
    const decision = await limiter.tryAcquire({ cost: 5 });
    await limiter.block(undefined, 2_000);
    clock.us -= 60_000_000;
    expect(await limiter.peek()).toMatchObject({ tier: 'blocked', retryAfterMs: 2_000 });
    if (decision.allowed) decision.refund();
    await limiter.block(undefined, 0);
    expect(await limiter.peek()).toMatchObject({ remaining: 0 });
  });
});

behaves('a higher rate makes the reserve of leases larger', async () => {
  const at = new ServerClock();
  clock = at;
  const name = newName();
  const make = (ratePerSecond: number, lease: object | false) =>
    open(at.over(redis), { name, tokenBucket: { ratePerSecond, burst: 4_000 }, lease });
  const limiter = await make(1_000, { maxTokens: 10, ttlMs: 50 });
  for (let i = 0; i < 20 && limiter.stats().leased === 0; i++) {
    at.advance(1);
    await limiter.allow();
  }
  const same = await make(1_000, false);
  const faster = await make(3_000, false);
  const { remaining } = await same.peek();
  expect((await faster.peek()).remaining).toBe(remaining - 100);
  at.advance(100);
  expect((await faster.peek()).remaining).toBe(4_000);
});

behaves('a connection that comes when its callers have given up is sent nothing', async () => {
  const sent: string[] = [];
  let isLate = false;
  const slow = tampered(redis, {
    send: (args, send) => {
      sent.push(String(args[0]));
      return send();
    },
    duplicate: async (duplicate) => {
      if (isLate) await sleep(150);
      isLate = false;
      return duplicate();
    },
  });
  const options = { tokenBucket: { ratePerSecond: 0.001, burst: 5 }, timeoutMs: 50 };
  isLate = true;
  const limiter = await open(slow, options); // gives up, too
  expect(await limiter.tryAcquire()).toMatchObject({ tier: 'unavailable' });
  await sleep(200); // the connection comes
  expect(sent).toEqual([]);
  await until('it is there', () => limiter.allow());
  expect(await limiter.peek()).toMatchObject({ remaining: 4 });
});
