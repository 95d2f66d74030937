import { createServer } from 'node:http';
import Koa, { type Context } from 'koa';
import { Limiter, ManualClock } from 'sluice';
import { koaLimit } from 'sluice/koa';
import { describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';

const closing = closedAfterEach();

async function failing(handler: (context: Context) => unknown): Promise<Response> {
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 0.1, burst: 5 }, clock: new ManualClock() });
  const app = new Koa();
  app.on('error', () => {});
  app.use(koaLimit({ limiter }));
  app.use(handler);
  const running = await listening(createServer(app.callback()));
  closing.push(running);
  return fetch(running.url);
}
const thrower = (error: unknown) => () => {
  throw error;
};

describe('koaLimit tells of the limit on the answer to', () => {
  it.each([
    [
      'an error with fields of its own',
      thrower(Object.assign(new Error('x'), { headers: { 'X-Own': 'own' } })),
    ],
    [
      'an error that takes no fields',
      thrower(Object.preventExtensions(Object.assign(new Error('x'), { status: 500 }))),
    ],
    ['a text that was thrown', thrower('text')],
    ['an empty text that was thrown', thrower('')],
  ])('%s', async (what, handler) => {
    const response = await failing((context) => {
      context.set('X-Other', 'other');
      return handler();
    });
    expect([response.status, await response.text()]).toEqual([500, 'Internal Server Error']);
    expect(response.headers.get('ratelimit')).toBe('"bucket";r=4;t=10');
    expect(response.headers.get('ratelimit-policy')).toBe('"bucket";q=5;w=50');
    expect(response.headers.get('x-own')).toBe(what.includes('of its own') ? 'own' : null);
    expect(response.headers.has('x-other')).toBe(false); // Koa drops it in its answer to an error
  });
});
