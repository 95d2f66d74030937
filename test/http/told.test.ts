import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import Fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { parseRateLimit } from 'ratelimit-header-parser';
import { Limiter, ManualClock } from 'sluice';
import { fastifyLimit } from 'sluice/fastify';
import { honoLimit } from 'sluice/fetch';
import { type HeadersForm, type LimitOptions, limit } from 'sluice/http';
import { koaLimit } from 'sluice/koa';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';
import { items } from './items.js';

const closing = closedAfterEach();
afterEach(() => {
  vi.useRealTimers();
});

/** Starts a server of node:http with an Express application: the middlewares, and then the answer. */
async function serve(...middlewares: RequestHandler[]): Promise<string> {
  const app = express();
  for (const one of middlewares) app.use(one);
  app.use((_request, response) => {
    response.end('fine');
  });
  const running = await listening(createServer(app));
  closing.push(running);
  return running.url;
}
const used = (max: number) => ({ slidingWindow: { limit: max, windowMs: 60_000, exact: true } });

describe('beside express-rate-limit 8.7.4', () => {
  const clock = new ManualClock();
  const both = async (form: 'draft-8' | 'draft-7' | 'draft-6' | 'legacy') => {
    const theirs = rateLimit({
      limit: 5,
      windowMs: 60_000,
      standardHeaders: form === 'legacy' ? false : form,
      legacyHeaders: form === 'legacy',
      identifier: 'five',
    });
    const limiter = Limiter.create({ ...used(5), keys: { max: 10 }, clock });
    vi.useFakeTimers({ toFake: ['Date'] }); // so that no second of theirs passes between two requests
    const urls = [await serve(theirs), await serve(limit({ limiter, name: 'five', headers: form }))];
    return Promise.all(
      urls.map(async (url) => {
        await (await fetch(url)).text();
        return (await fetch(url)).headers;
      }),
    ) as Promise<[Headers, Headers]>;
  };

  it('draft-8 has the same items, but for what a partition key is made of', async () => {
    const [theirs, ours] = await both('draft-8');
    for (const field of ['RateLimit', 'RateLimit-Policy']) {
      const without = (headers: Headers) =>
        items(headers.get(field)).map(([name, parameters]) => [name, { ...(parameters as object), pk: '' }]);
      expect(items(ours.get(field))).toHaveLength(1);
      expect(without(ours)).toEqual(without(theirs).map(([name, rest]) => [name, { ...(rest as object) }]));
    }
  });

  it('draft-7 is the same', async () => {
    const [theirs, ours] = await both('draft-7');
    for (const field of ['RateLimit', 'RateLimit-Policy']) expect(ours.get(field)).toBe(theirs.get(field));
    expect(ours.get('RateLimit')).toBe('limit=5, remaining=3, reset=60');
  });

  it('draft-6 is the same', async () => {
    const [theirs, ours] = await both('draft-6');
    for (const field of ['Limit', 'Remaining', 'Reset', 'Policy']) {
      expect(ours.get(`RateLimit-${field}`)).toBe(theirs.get(`RateLimit-${field}`));
    }
    expect(ours.has('RateLimit')).toBe(false);
  });

  it('legacy is the same, the time since 1970 included', async () => {
    const [theirs, ours] = await both('legacy');
    for (const field of ['Limit', 'Remaining']) {
      expect(ours.get(`X-RateLimit-${field}`)).toBe(theirs.get(`X-RateLimit-${field}`));
    }
    const reset = Number(ours.get('X-RateLimit-Reset'));
    const now = Date.now() / 1_000;
    expect(reset).toBeGreaterThan(now);
    expect(reset).toBeLessThanOrEqual(Math.ceil(now) + 60);
  });

  it('the quotas of both on one request are in one list', async () => {
    const theirs = rateLimit({ limit: 9, windowMs: 5_000, standardHeaders: 'draft-8', legacyHeaders: false });
    const ours = limit({ limiter: Limiter.create({ ...used(5), clock }), headers: 'draft-8' });
    for (const order of [
      [theirs, ours],
      [ours, theirs],
    ]) {
      const url = await serve(...order);
      const list = items((await fetch(url)).headers.get('RateLimit'));
      expect(list.map(([name]) => name).sort()).toEqual(['9-in-5sec', 'window']);
    }
  });

  it('several lines of one field are one list', async () => {
    const theirs = [7, 8].map((max) =>
      rateLimit({ limit: max, windowMs: 5_000, standardHeaders: 'draft-8', legacyHeaders: false }),
    );
    const ours = limit({ limiter: Limiter.create({ ...used(5), clock }) });
    const url = await serve(...theirs, ours);
    const list = items((await fetch(url)).headers.get('RateLimit'));
    expect(list.map(([name]) => name)).toEqual(['7-in-5sec', '8-in-5sec', 'window']);
  });
});

describe('ratelimit-header-parser 0.1.0 reads', () => {
  it.each([
    ['draft-7'],
    ['draft-6'],
    ['legacy'],
    [['draft-7', 'draft-6', 'legacy']],
    [['draft-6', 'legacy']],
  ])('%j', async (headers) => {
    const limiter = Limiter.create(used(5));
    const url = await serve(limit({ limiter, headers: headers as HeadersForm[] }));
    await (await fetch(url)).text();
    const read = parseRateLimit((await fetch(url)).headers);
    expect(read).toMatchObject({ limit: 5, used: 2, remaining: 3 });
    const seconds = (Number(read?.reset) - Date.now()) / 1_000;
    expect(seconds).toBeGreaterThan(30);
    expect(seconds).toBeLessThan(62);
  });
});

describe('a limiter’s tiers, each by itself,', () => {
  const clock = new ManualClock();
  const told = async (limiter: Limiter, options: LimitOptions<IncomingMessage> = {}) => {
    const response = await fetch(await serve(limit({ limiter, ...options })));
    await response.text();
    return { status: response.status, list: Object.fromEntries(items(response.headers.get('RateLimit'))) };
  };

  it('say what they have left, and when they have more', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1, burst: 60 },
      ...used(80),
      queueDepth: { max: 70 },
      clock,
    });
    limiter.allow(undefined, 7);
    clock.advance(500);
    expect((await told(limiter)).list).toEqual({
      bucket: { r: 52, t: 1 },
      window: { r: 72, t: 60 },
      concurrency: { r: 62 },
    });
  });

  it('say so for a cost that exceeds what is left, too', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 10 }, ...used(50), clock });
    limiter.allow(undefined, 7);
    expect(await told(limiter, { cost: 5 })).toEqual({
      status: 429,
      list: { bucket: { r: 3, t: 1 }, window: { r: 43, t: 60 } },
    });
  });

  it('say nothing is left while a block refuses everything', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 10 }, ...used(50), clock });
    limiter.block(undefined, 7_000);
    expect((await told(limiter)).list).toEqual({ bucket: { r: 0, t: 7 }, window: { r: 0, t: 7 } });
  });

  it('are those of the key', async () => {
    const limiter = Limiter.create({ ...used(5), keys: { max: 10 }, clock });
    limiter.allow('127.0.0.1', 3);
    limiter.allow('other', 5);
    expect((await told(limiter)).list).toMatchObject({ window: { r: 1, t: 60 } });
  });
});

describe('several limiters on one request', () => {
  const clock = new ManualClock();
  const limiters = () => ({
    all: Limiter.create({ ...used(100), clock }),
    strict: Limiter.create({ tokenBucket: { ratePerSecond: 0.1, burst: 2 }, ...used(4), clock }),
  });

  it('tell of each other’s quotas when they pass, and of that which refused', async () => {
    const { all, strict } = limiters();
    const url = await serve(limit({ limiter: all }), limit({ limiter: strict, name: 'buy' }));
    const names = (response: Response, field: string) =>
      items(response.headers.get(field)).map(([name]) => name);
    const passed = await fetch(url);
    expect(names(passed, 'RateLimit-Policy')).toEqual(['window', 'buy-bucket', 'buy-window']);
    await fetch(url);
    const response = await fetch(url);
    expect(response.status).toBe(429);
    expect(names(response, 'RateLimit-Policy')).toEqual(['window', 'buy-bucket', 'buy-window']);
    const list = Object.fromEntries(items(response.headers.get('RateLimit')));
    expect(list['window']).toEqual({ r: 97, t: 60 });
    expect(list['buy-bucket']).toEqual({ r: 0, t: 10 });
    expect(list['buy-window']).toEqual({ r: 2, t: 60 });
  });

  it('name in a problem what their fields name', async () => {
    const { all, strict } = limiters();
    const url = await serve(limit({ limiter: all }), limit({ limiter: strict, problem: true }));
    await fetch(url);
    await fetch(url);
    const response = await fetch(url);
    expect(await response.json()).toMatchObject({ 'violated-policies': ['bucket-2'] });
    expect(response.headers.get('RateLimit')).toContain('"bucket-2";r=0;t=10');
  });

  it('tell in one field of the tightest, and of the one that refused', async () => {
    const { all, strict } = limiters();
    const url = await serve(
      limit({ limiter: strict, headers: ['draft-7', 'legacy'] }),
      limit({ limiter: all, headers: ['draft-7', 'legacy'] }),
    );
    const told = async () => {
      const { headers } = await fetch(url);
      return [headers.get('RateLimit'), headers.get('X-RateLimit-Remaining')];
    };
    expect(await told()).toEqual(['limit=2, remaining=1, reset=10', '1']);
    expect(await told()).toEqual(['limit=2, remaining=0, reset=10', '0']);
    expect(await told()).toEqual(['limit=2, remaining=0, reset=10', '0']);
  });

  it('do so in Fastify and Koa, too', async () => {
    const { all, strict } = limiters();
    const fastify = Fastify({ forceCloseConnections: true });
    await fastify.register(fastifyLimit, { limiter: all, name: 'all' });
    await fastify.register(fastifyLimit, { limiter: strict, name: 'buy' });
    fastify.get('/', async () => 'fine');
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    const app = new Koa();
    for (const options of [
      { limiter: all, name: 'all' },
      { limiter: strict, name: 'buy' },
    ]) {
      app.use(koaLimit(options));
    }
    app.use((context) => {
      context.body = 'fine';
    });
    const koa = await listening(createServer(app.callback()));
    const { port } = fastify.server.address() as AddressInfo;
    closing.push(koa, fastify);
    for (const url of [koa.url, `http://127.0.0.1:${port}`]) {
      const { headers } = await fetch(url);
      const names = items(headers.get('RateLimit')).map(([name]) => String(name));
      expect(names.sort()).toEqual(['all', 'buy-bucket', 'buy-window']);
    }
  });

  it('do so where the response comes from within', async () => {
    const { all, strict } = limiters();
    const app = new Hono();
    app.use(honoLimit({ limiter: all, name: 'all', headers: ['draft-10', 'legacy'] }));
    app.use(honoLimit({ limiter: strict, name: 'buy', headers: ['draft-10', 'legacy'] }));
    app.get('*', (context) => context.text('fine'));
    for (const [status, remaining] of [
      [200, '1'],
      [200, '0'],
      [429, '0'],
    ] as const) {
      const response = await app.request('/');
      expect(response.status).toBe(status);
      expect(response.headers.get('X-RateLimit-Remaining')).toBe(remaining);
      const names = items(response.headers.get('RateLimit')).map(([name]) => name);
      expect(names).toContain('all');
      expect(names).toContain('buy-bucket');
    }
  });
});
