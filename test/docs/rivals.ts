/**
 * Servers behind the limiters that docs/guide/http.md compares, all with the same limit, and a clock that tests move.
 */
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import { createRequire } from 'node:module';
import fastifyRateLimit from '@fastify/rate-limit';
import { getRequestListener } from '@hono/node-server';
import express, { type RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { rateLimiter } from 'hono-rate-limiter';
import Koa, { type Middleware } from 'koa';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { Limiter, ManualClock } from 'sluice';
import { limit } from 'sluice/http';
import { vi } from 'vitest';
import { listening, type Running } from '../http/frameworks.js';

const require = createRequire(import.meta.url);
const koaRateLimit: (options: object) => Middleware = require('koa-ratelimit');

/** How the limit of `max` requests in 60 s is mounted: once, twice as the same limiter, or as two limiters. */
export interface Setup {
  readonly max: number;
  readonly mounted?: 'once' | 'twice' | 'two limiters';
}
interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
}
export interface Rival extends Running {
  ask(address?: string): Promise<Answer>;
  /** Moves the clock of the limiter by `ms`. */
  pass(ms: number): void;
}

const agent = new Agent({ keepAlive: true });
export const windowMs = 60_000;
const manual = new ManualClock();

function several<T>({ max, mounted = 'once' }: Setup, make: (max: number) => T): T[] {
  const one = make(max);
  if (mounted === 'once') return [one];
  return [one, mounted === 'twice' ? one : make(max + 100)];
}

function expressWith(middlewares: RequestHandler[]): Promise<Running> {
  const app = express();
  app.set('trust proxy', 1);
  for (const one of middlewares) app.use(one);
  app.get('/', (_request, response) => {
    response.end('fine');
  });
  return listening(createServer(app));
}

const starts: Record<string, (setup: Setup) => Promise<Running>> = {
  sluice: (setup) =>
    expressWith(
      several(setup, (max) => {
        const slidingWindow = { limit: max, windowMs, exact: true };
        const limiter = Limiter.create({ slidingWindow, keys: { max: 1_000 }, clock: manual });
        return limit({ limiter });
      }),
    ),
  'express-rate-limit': (setup) =>
    expressWith(several(setup, (max) => rateLimit({ limit: max, windowMs, validate: false }))),
  '@fastify/rate-limit': async (setup) => {
    const app = Fastify({ trustProxy: '127.0.0.1', forceCloseConnections: true });
    for (const max of several(setup, (one) => one)) {
      await app.register(fastifyRateLimit, { max, timeWindow: windowMs });
    }
    app.get('/', async () => 'fine');
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    return { url, port: Number(new URL(url).port), close: () => app.close() };
  },
  'koa-ratelimit': (setup) => {
    const app = new Koa({ proxy: true, maxIpsCount: 1 });
    const made = several(setup, (max) =>
      koaRateLimit({ driver: 'memory', db: new Map(), duration: windowMs, max }),
    );
    for (const one of made) app.use(one);
    app.use((context) => {
      context.body = 'fine';
    });
    return listening(createServer(app.callback()));
  },
  'hono-rate-limiter': (setup) => {
    const app = new Hono();
    const keyGenerator = (context: { req: { header(name: string): string | undefined } }) =>
      context.req.header('x-forwarded-for') ?? '';
    for (const one of several(setup, (max) => rateLimiter({ limit: max, windowMs, keyGenerator }))) {
      app.use(one);
    }
    app.get('/', (context) => context.text('fine'));
    return listening(createServer(getRequestListener(app.fetch)));
  },
  // The package has no middleware. This is the middleware that its documentation shows.
  'rate-limiter-flexible': (setup) =>
    expressWith(
      several(setup, (points): RequestHandler => {
        const limiter = new RateLimiterMemory({ points, duration: windowMs / 1_000 });
        return ({ ip = '' }, response, next) => {
          limiter.consume(ip).then(
            () => next(),
            () => response.status(429).send('Too Many Requests'),
          );
        };
      }),
    ),
};
export const rivals: readonly string[] = Object.keys(starts);

export async function started(name: string, setup: Setup): Promise<Rival> {
  const running = await (starts[name] as (typeof starts)[string])(setup);
  return {
    ...running,
    ask: async (address = '192.0.2.1') => {
      const headers = { 'x-forwarded-for': address };
      const asked = request(running.url, { headers, agent }).end();
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      await response.resume().toArray();
      return { status: response.statusCode ?? 0, headers: response.headers };
    },
    pass: (ms) => {
      manual.advance(ms);
      vi.setSystemTime(Date.now() + ms);
    },
  };
}
