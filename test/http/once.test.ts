import { setTimeout as delay } from 'node:timers/promises';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { Limiter, ManualClock } from 'sluice';
import { fetchLimit, honoLimit } from 'sluice/fetch';
import { describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { frameworks, type SharedOptions } from './frameworks.js';
import { items } from './items.js';

const closing = closedAfterEach();
const bucket = (burst: number) => ({
  tokenBucket: { ratePerSecond: 0.1, burst },
  clock: new ManualClock(),
});

describe.each(Object.entries(frameworks))('one limiter decides a request once: %s', (_name, start) => {
  const serve = async (options: SharedOptions, ...further: SharedOptions[]): Promise<string> => {
    const running = await start(options, async () => ({ status: 200, body: 'fine' }), ...further);
    closing.push(running);
    return running.url;
  };
  const status = async (url: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url, { headers });
    await response.arrayBuffer();
    return response.status;
  };

  it('where the same middleware is the application’s and a router’s', async () => {
    const limiter = Limiter.create({ ...bucket(2), queueDepth: { max: 1 } });
    const options = { limiter };
    const url = await serve(options, options, options);
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([200, 'fine']);
    expect(items(response.headers.get('RateLimit')).map(([name]) => name)).toEqual(['bucket', 'concurrency']);
    while (limiter.stats().inFlight > 0) await delay(1);
    expect(limiter.peek().remaining).toBe(1);
    expect([await status(url), await status(url)]).toEqual([200, 429]);
    expect(limiter.stats()).toMatchObject({ allowed: 2 });
  });

  it('where another middleware has the same limiter: the first one decides', async () => {
    const limiter = Limiter.create(bucket(10));
    const url = await serve({ limiter, cost: 2 }, { limiter, cost: 5, name: 'other' });
    expect(await status(url)).toBe(200);
    expect(limiter.peek().remaining).toBe(8);
  });

  it('and again for another key, or if it was skipped before', async () => {
    const limiter = Limiter.create({ ...bucket(1), keys: { max: 10 } });
    const byUser = { limiter, key: { header: 'x-user' } };
    const url = await serve({ limiter, key: { header: 'x-network' } }, byUser);
    const ask = (network: string, user: string) => status(url, { 'x-network': network, 'x-user': user });
    expect([await ask('one', 'ann'), await ask('two', 'ann')]).toEqual([200, 429]);
    expect(await ask('same', 'same')).toBe(200);
    const other = Limiter.create(bucket(1));
    const skipping = await serve({ limiter: other, skip: () => true }, { limiter: other });
    expect([await status(skipping), await status(skipping)]).toEqual([200, 429]);
  });
});

describe('honoLimit', () => {
  it('knows a request again whose Request another middleware has replaced', async () => {
    const limiter = Limiter.create(bucket(2));
    const app = new Hono();
    const limited = honoLimit({ limiter });
    app.use(limited, bodyLimit({ maxSize: 100 }), limited);
    app.post('/', async (context) => context.text(await context.req.text()));
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('body'));
        controller.close();
      },
    });
    const response = await app.request('/', { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect([response.status, await response.text()]).toEqual([200, 'body']);
    expect(limiter.peek().remaining).toBe(1);
  });

  it('knows what fetchLimit has let through', async () => {
    const limiter = Limiter.create(bucket(2));
    const app = new Hono();
    app.use(honoLimit({ limiter }));
    app.get('/', (context) => context.text('fine'));
    const handler = fetchLimit((request: Request) => app.fetch(request), { limiter });
    expect((await handler(new Request('http://x/'))).status).toBe(200);
    expect(limiter.peek().remaining).toBe(1);
  });
});
