/** Refusals that the program answers itself (option `refuse`), in the way of each framework. */
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, ManualClock } from 'sluice';
import type { RefusalInfo } from 'sluice/http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mistyped } from '../mistyped.js';
import { closedAfterEach } from './closing.js';
import { frameworks, type SharedOptions, type Start } from './frameworks.js';

const closing = closedAfterEach();
afterEach(() => {
  vi.useRealTimers();
});

const full = (more: object = {}) => {
  const limiter = Limiter.create({
    tokenBucket: { ratePerSecond: 0.1, burst: 1 },
    clock: new ManualClock(),
    ...more,
  });
  limiter.allow();
  return limiter;
};
const text = (info: RefusalInfo) => `own ${info.tier} ${info.retryAfterMs}`;
type Refuse = (info: RefusalInfo, ...rest: never[]) => unknown;
interface Response {
  setHeader(name: string, value: string): void;
  end(body: string): void;
}
const ofNode: Refuse = (info, _request: never, response: Response) => {
  response.setHeader('Content-Type', 'text/plain');
  response.end(text(info));
};
const ofFastify: Refuse = (info, _request: never, reply: { type(name: string): void }) => {
  reply.type('text/plain');
  return text(info);
};
/** For each framework, a function `refuse` that answers with a text. */
const own: Record<string, Refuse> = {
  'node:http': ofNode,
  'Express 5': ofNode,
  'Express 4': ofNode,
  'Fastify 5': ofFastify,
  'Fastify 4': ofFastify,
  Koa: (info, context: { body: unknown }) => {
    context.body = text(info);
  },
  Hono: (info, context: { text(body: string): unknown }) => context.text(text(info)),
  'a fetch handler': (info) => new Response(text(info), { status: info.status }),
};
/** The frameworks in which `refuse` may still answer after it has returned. */
const late = ['node:http', 'Express 5', 'Express 4', 'Fastify 5', 'Fastify 4'];
const answersErrors = (name: string) => name !== 'a fetch handler';

async function asked(start: Start, options: SharedOptions, refuse: Refuse) {
  const answer = async () => ({ status: 200, body: 'fine' });
  const running = await start({ ...options, refuse: mistyped(refuse) }, answer);
  closing.push(running);
  const response = await fetch(running.url);
  const { status, headers } = response;
  return { status, headers, body: await response.text() };
}

describe.each(Object.entries(frameworks))('refuse: %s', (name, start) => {
  const refuse = own[name] as Refuse;

  it('answers with the status and the fields of the limit', async () => {
    const { status, headers, body } = await asked(start, { limiter: full(), name: 'buy' }, refuse);
    expect([status, body]).toEqual([429, 'own token-bucket 10000']);
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(headers.get('retry-after')).toBe('10');
    expect(headers.get('ratelimit')).toBe('"buy";r=0;t=10');
  });

  it('may answer after it has waited for something else', async () => {
    const { status, headers, body } = await asked(start, { limiter: full() }, async (info, ...rest) => {
      await delay(2);
      return refuse(info, ...rest);
    });
    expect([status, body]).toEqual([429, 'own token-bucket 10000']);
    expect(headers.get('retry-after')).toBe('10');
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['is rejected', () => Promise.reject(new Error('mine'))],
  ])('goes to the framework’s error handling where it %s', async (_what, failing) => {
    const limiter = full({ queueDepth: { max: 9 } });
    const { status, headers, body } = await asked(start, { limiter }, failing);
    // Fastify's own answer to an error keeps the status that was set before.
    expect(status).toBe(name.startsWith('Fastify') ? 429 : 500);
    expect(body).not.toContain('rate limited');
    expect(headers.has('ratelimit')).toBe(answersErrors(name));
    expect(headers.has('retry-after')).toBe(answersErrors(name));
    expect(limiter.stats()).toMatchObject({ allowed: 1, inFlight: 1 });
  });

  it('that answers nothing leaves the usual answer', async () => {
    if (late.includes(name)) vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const answer = asked(start, { limiter: full() }, () => {
      if (late.includes(name)) setImmediate(() => vi.advanceTimersByTime(10_000));
    });
    const { status, headers, body } = await answer;
    expect([status, body]).toEqual([429, '{"error":"rate limited"}']);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
  });

  it('is told what was decided', async () => {
    const infos: RefusalInfo[] = [];
    const limiter = Limiter.create({ queueDepth: { max: 3 }, keys: { max: 5 } });
    limiter.allow('ann', 2);
    const options = { limiter, key: () => 'ann', cost: 2, overloadStatus: 503, problem: true } as const;
    await asked(start, { ...options, name: 'buy' }, (info, ...rest) => {
      infos.push(info);
      return refuse(info, ...rest);
    });
    expect(infos).toEqual([
      {
        status: 503,
        tier: 'queue-depth',
        window: undefined,
        oversized: false,
        retryAfterMs: 0,
        name: 'buy',
        limiter,
        key: 'ann',
        cost: 2,
        headers: {
          'Retry-After': '1',
          RateLimit: expect.stringContaining('"buy";r=1'),
          'RateLimit-Policy': expect.stringContaining('"buy";q=3'),
        },
        body: expect.stringContaining('temporary-reduced-capacity'),
        contentType: 'application/problem+json',
        dryRun: false,
        blockedMs: 0,
      },
    ]);
  });
});

describe.each(['node:http', 'Express 5', 'Express 4'])('refuse of %s', (name) => {
  const start = frameworks[name] as Start;
  type Next = (error?: unknown) => void;

  it('lets through by next(), uncharged, and fails by next(error)', async () => {
    const limiter = full({ queueDepth: { max: 9 } });
    const through = await asked(start, { limiter }, (_info, ...[, , next]: [never?, never?, Next?]) =>
      next?.(),
    );
    expect([through.status, through.body]).toEqual([200, 'fine']);
    expect(through.headers.has('retry-after')).toBe(false);
    expect(limiter.stats()).toMatchObject({ allowed: 1, inFlight: 1 });
    const failed = await asked(start, { limiter }, (_info, ...[, , next]: [never?, never?, Next?]) => {
      next?.(new Error('mine'));
      next?.(); // a second call is ignored
    });
    expect(failed.status).toBe(500);
  });

  it('goes on by next() only once', async () => {
    let handled = 0;
    const answer = async () => {
      handled++;
      return { status: 200, body: 'fine' };
    };
    const refuse = (_info: unknown, _request: unknown, _response: unknown, next: Next) => {
      next();
      next();
      throw new Error('late');
    };
    const running = await start({ limiter: full(), refuse: mistyped(refuse) }, answer);
    closing.push(running);
    const response = await fetch(running.url);
    expect([response.status, await response.text()]).toEqual([200, 'fine']);
    expect(handled).toBe(1);
  });

  it('ignores next() once the request is answered', async () => {
    const handle = vi.fn(async () => ({ status: 200, body: 'fine' }));
    const kept: Next[] = [];
    const refuse = (info: RefusalInfo, _request: unknown, response: Response, next: Next) => {
      response.end(text(info));
      kept.push(next);
    };
    const running = await start({ limiter: full(), refuse: mistyped(refuse) }, handle);
    closing.push(running);
    const response = await fetch(running.url);
    expect(response.status).toBe(429);
    expect(kept).toHaveLength(1);
    for (const next of kept) expect(() => next()).not.toThrow();
    expect(handle).not.toHaveBeenCalled();
  });
});
