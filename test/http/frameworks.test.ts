import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import { Limiter, ManualClock } from 'sluice';
import { parseItem, parseList } from 'structured-headers';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { closedAfterEach } from './closing.js';
import { type Answer, frameworks, type Running, type SharedOptions } from './frameworks.js';
import { items } from './items.js';

const ok: Answer = async () => ({ status: 200, body: 'fine' });
const closing = closedAfterEach();
const bucket = (burst: number) => ({
  tokenBucket: { ratePerSecond: 0.1, burst },
  clock: new ManualClock(),
});
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}

describe.each(Object.entries(frameworks))('%s', (_name, start) => {
  const serve = async (
    options: SharedOptions,
    answer: Answer = ok,
    ...further: SharedOptions[]
  ): Promise<Running> => {
    const running = await start(options, answer, ...further);
    closing.push(running);
    return running;
  };
  it('answers a request that passes, and refuses another with 429 and Retry-After in whole seconds', async () => {
    const { url } = await serve({ limiter: Limiter.create(bucket(2)) });
    for (const remaining of [1, 0]) {
      const response = await fetch(url);
      expect([response.status, await response.text()]).toEqual([200, 'fine']);
      const [name, parameters] = parseList(response.headers.get('ratelimit') ?? '')[0] ?? [];
      expect(name).toBe('bucket');
      expect((parameters as Map<string, unknown>).get('r')).toBe(remaining);
    }
    const refused = await fetch(url);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(refused.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await refused.text()).toBe('{"error":"rate limited"}');
    const [, parameters] = parseItem(refused.headers.get('ratelimit') ?? '');
    expect(Object.fromEntries(parameters)).toMatchObject({ r: 0, t: 10 });
  });

  it('answers 413 without Retry-After to a cost that can never pass, and charges nothing for a cost of 0', async () => {
    const costs = [3, 0, 2, 0, 1];
    const { url } = await serve({ limiter: Limiter.create(bucket(2)), cost: () => costs.shift() ?? 1 });
    const told: unknown[] = [];
    while (costs.length > 0) {
      const response = await fetch(url);
      const [, parameters] = parseItem(response.headers.get('ratelimit') ?? '');
      const left = Object.fromEntries(parameters)['r'];
      told.push([response.status, left, response.headers.get('retry-after'), await response.text()]);
    }
    expect(told).toEqual([
      [413, 2, null, '{"error":"costs more than its limit"}'],
      [200, 2, null, 'fine'],
      [200, 0, null, 'fine'],
      [200, 0, null, 'fine'],
      [429, 0, '10', '{"error":"rate limited"}'],
    ]);
  });

  it('says its policies as structured fields: quota, window, units, partition', async () => {
    const limiter = Limiter.create({ ...Limiter.flashSale, keys: { max: 10 } });
    const { url } = await serve({ limiter, key: { header: 'X-User' }, legacyHeaders: true });
    const { headers } = await fetch(url, { headers: { 'x-user': 'ann' } });
    const policies = parseList(headers.get('ratelimit-policy') ?? '').map(([name, parameters]) => {
      const { pk, ...rest } = Object.fromEntries(parameters);
      expect(pk).toBeInstanceOf(ArrayBuffer);
      return { name, ...rest };
    });
    expect(policies).toEqual([
      { name: 'bucket', q: 100, w: 1 },
      { name: 'window', q: 120, w: 1 },
      { name: 'concurrency', q: 50, qu: 'concurrent-requests' },
    ]);
    expect(headers.get('x-ratelimit-limit')).toBe('50');
    expect(headers.get('x-ratelimit-remaining')).toBe('49');
  });

  it('answers problem details and 503 for an overload if so configured', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const { url } = await serve({ limiter, problem: true, overloadStatus: 503, headers: false });
    limiter.allow();
    const response = await fetch(url);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.headers.has('ratelimit')).toBe(false);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await response.json()).toMatchObject({
      status: 503,
      type: expect.stringContaining('reduced-capacity'),
    });
  });

  it('keys by a header, and gives the depth of each request back once', async () => {
    const limiter = Limiter.create({ ...bucket(1), queueDepth: { max: 5 }, keys: { max: 10 } });
    const { url } = await serve({ limiter, key: { header: 'x-user' } });
    const status = async (user: string) => {
      const response = await fetch(url, { headers: { 'x-user': user } });
      await response.arrayBuffer();
      return response.status;
    };
    expect([await status('ann'), await status('bob'), await status('ann')]).toEqual([200, 200, 429]);
    await until(() => limiter.stats().inFlight === 0);
  });

  it('distinguishes long keys of a header like short ones, and fails for none', async () => {
    const limiter = Limiter.create({ ...bucket(1), keys: { max: 10 } });
    const { url } = await serve({ limiter, key: { header: 'x-user' } });
    const status = async (user: string) => {
      const response = await fetch(url, { headers: { 'x-user': user } });
      await response.arrayBuffer();
      return response.status;
    };
    const long = 'x'.repeat(10_000);
    expect([await status(long), await status(`${long}y`), await status(long)]).toEqual([200, 200, 429]);
    expect([await status('x'.repeat(1_024)), await status('x'.repeat(1_025))]).toEqual([200, 200]);
    expect(await status('x'.repeat(1_025))).toBe(429);
    expect(limiter.stats().keys).toBe(4);
  });

  it('counts only failed responses if told so', async () => {
    const limiter = Limiter.create(bucket(3));
    const answer: Answer = async (path) => ({ status: path === '/bad' ? 404 : 200, body: 'x' });
    const { url } = await serve({ limiter, count: 'failed' }, answer);
    for (let i = 0; i < 6; i++) {
      await (await fetch(`${url}/good`)).text();
      await until(() => limiter.peek().remaining === 3);
    }
    for (let i = 0; i < 3; i++) await (await fetch(`${url}/bad`)).text();
    expect((await fetch(`${url}/good`)).status).toBe(429);
  });

  it('gives the depth back when the client goes away before the answer', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 10 } });
    const { url } = await serve({ limiter }, async () => {
      await delay(50);
      return { status: 200, body: 'late' };
    });
    for (let i = 0; i < 5; i++) {
      const controller = new AbortController();
      const request = fetch(url, { signal: controller.signal }).catch(() => {});
      await until(() => limiter.stats().inFlight === 1);
      controller.abort();
      await request;
      await until(() => limiter.stats().inFlight === 0);
    }
  });

  it('gives back what a pipeline holds whose connection dies before its answers', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 50 } });
    const { port } = await serve({ limiter }, () => new Promise(() => {}));
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(7));
    await until(() => limiter.stats().inFlight === 7);
    socket.destroy();
    await until(() => limiter.stats().inFlight === 0);
  });

  it('charges a HEAD request once, and gives its depth back', async () => {
    const limiter = Limiter.create({ ...bucket(9), queueDepth: { max: 50 } });
    const { url } = await serve({ limiter, cost: 2 });
    for (const remaining of [7, 5, 3]) {
      const response = await fetch(url, { method: 'HEAD' });
      expect([response.status, await response.text()]).toEqual([200, '']);
      expect(limiter.peek().remaining).toBe(remaining);
      await until(() => limiter.stats().inFlight === 0);
    }
  });

  it('leaves an answer its Content-Length', async () => {
    for (const tiers of [{}, { queueDepth: { max: 5 } }]) {
      const { url } = await serve({ limiter: Limiter.create({ ...bucket(9), ...tiers }) });
      const response = await fetch(url);
      expect([response.headers.get('content-length'), await response.text()]).toEqual(['4', 'fine']);
      expect(response.headers.get('ratelimit')).toContain('"bucket";r=8;t=10');
    }
  });

  it('gives the depth back of a request whose handler fails', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 50 } });
    const { url } = await serve({ limiter }, async () => {
      throw new Error('handler');
    });
    for (let i = 0; i < 3; i++) {
      const response = await fetch(url);
      await response.arrayBuffer();
      expect(response.status).toBe(500);
    }
    await until(() => limiter.stats().inFlight === 0);
    expect(limiter.stats().allowed).toBe(3);
  });

  it('answers an error, charging nothing, if a function among its options fails', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 50 } });
    const failing = (): never => {
      throw new Error('option');
    };
    const hopeless: SharedOptions[] = [
      { cost: failing },
      { cost: () => Number.NaN },
      { cost: () => 1e10 },
      { skip: failing },
      { skip: mistyped(() => 'no') },
    ];
    for (const options of hopeless) {
      const { url } = await serve({ limiter, ...options });
      const response = await fetch(url);
      await response.arrayBuffer();
      expect(response.status).toBe(500);
    }
    expect(limiter.stats()).toMatchObject({ allowed: 0, inFlight: 0 });
  });

  it('keeps its limits and leaks nothing under load', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 150 },
      queueDepth: { max: 40 },
    });
    const { url } = await serve({ limiter });
    const result = await autocannon({ url, connections: 20, pipelining: 4, amount: 1_000 });
    // autocannon does not count answers that are still in its pipelines when it has reached its amount.
    expect(result['2xx']).toBeLessThanOrEqual(150);
    expect(result.non2xx).toBeGreaterThan(0);
    expect(limiter.stats().allowed).toBe(150);
    await until(() => limiter.stats().inFlight === 0);
  });
});

// A fetch handler's error is answered by its server, which the limit cannot reach.
const answering = Object.entries(frameworks).filter(([name]) => name !== 'a fetch handler');
describe.each(answering)('the answer to an error: %s', (_name, start) => {
  it('tells of the limit on the answer to an error, too', async () => {
    const limiter = Limiter.create(bucket(9));
    const other = Limiter.create(bucket(5));
    const failing = async () => {
      throw new Error('handler');
    };
    const running = await start({ limiter, name: 'all', legacyHeaders: true }, failing, {
      limiter: other,
      name: 'own',
    });
    closing.push(running);
    for (const [all, own] of [
      [8, 4],
      [7, 3],
    ]) {
      const { status, headers } = await fetch(running.url);
      expect(status).toBe(500);
      const list = items(headers.get('ratelimit')).map(([item, parameters]) => [
        item,
        (parameters as { r?: unknown }).r,
      ]);
      expect(list.sort()).toEqual([
        ['all', all],
        ['own', own],
      ]);
      expect(headers.get('ratelimit-policy')).toContain('"own";q=5');
      expect(headers.get('x-ratelimit-remaining')).toBe(String(all));
    }
  });
});
