/** Requests of HTTP/2 hold their places until their answers have ended, and are counted by their own status. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import Fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { Limiter } from 'sluice';
import { fastifyLimit } from 'sluice/fastify';
import { honoLimit } from 'sluice/fetch';
import { limit } from 'sluice/http';
import { koaLimit } from 'sluice/koa';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';

const closing = closedAfterEach();

interface Options {
  readonly limiter: Limiter;
  readonly count: (request: object, status: number) => boolean;
}
/** Starts a server that answers with 401 after `handle`. Returns its address. */
type Start = (options: Options, handle: () => Promise<void>) => Promise<string>;

async function started(server: ReturnType<typeof createServer>): Promise<string> {
  const { url } = await listening(server);
  closing.push({ close: async () => server.close() });
  return url;
}

const servers: Record<string, Start> = {
  'node:http2': (options, handle) => {
    const limited = limit(options);
    return started(
      createServer((request, response) => {
        const answer = (): void => {
          response.statusCode = 401;
          response.end();
        };
        limited(mistyped(request), mistyped(response), () => void handle().then(answer));
      }),
    );
  },
  Fastify: async (options, handle) => {
    const app = Fastify({ http2: true });
    closing.push(app);
    await app.register(mistyped(fastifyLimit), mistyped(options));
    app.route({
      method: ['GET', 'HEAD'],
      url: '/',
      handler: async (_, reply) => {
        await handle();
        reply.code(401);
        return '';
      },
    });
    return app.listen({ port: 0, host: '127.0.0.1' });
  },
  Koa: (options, handle) => {
    const app = new Koa();
    app.use(mistyped(koaLimit(options)));
    app.use(async (context) => {
      await handle();
      context.status = 401;
    });
    return started(createServer(app.callback()));
  },
  Hono: (options, handle) => {
    const app = new Hono();
    app.use(honoLimit(options));
    app.get('/', async (context) => {
      await handle();
      return context.text('', 401);
    });
    return started(createServer(getRequestListener(app.fetch)));
  },
};

async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}

async function statusOf(stream: ReturnType<ClientHttp2Session['request']>): Promise<unknown> {
  const [headers] = (await once(stream.resume(), 'response')) as [Record<string, unknown>];
  return headers[':status'];
}

describe.each(Object.entries(servers))('%s over HTTP/2', (_, start) => {
  /** A client, and a server whose handlers wait for `release`. */
  async function scene() {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const statuses: number[] = [];
    const waiting: Array<() => void> = [];
    const count = (_request: object, status: number) => statuses.push(status) > 0;
    const url = await start({ limiter, count }, () => new Promise((resolve) => waiting.push(resolve)));
    const session = connect(url);
    closing.unshift({ close: async () => session.destroy() });
    const request = (method: string) => session.request({ ':path': '/', ':method': method });
    return { limiter, statuses, waiting, request };
  }

  it.each(['GET', 'HEAD'])(
    'holds the place of %s until the answer, and counts its status',
    async (method) => {
      const { limiter, statuses, waiting, request } = await scene();
      const first = statusOf(request(method));
      await until(() => waiting.length === 1);
      expect([limiter.stats().inFlight, statuses]).toEqual([1, []]);
      expect(await statusOf(request(method))).toBe(429);
      waiting[0]?.();
      expect(await first).toBe(401);
      await until(() => limiter.stats().inFlight === 0);
      expect(statuses).toEqual([401]);
    },
  );

  it.each(['GET', 'HEAD'])('counts 499 for a %s that its client cancels', async (method) => {
    const { limiter, statuses, waiting, request } = await scene();
    const stream = request(method);
    stream.on('error', () => {});
    await until(() => waiting.length === 1);
    stream.close(8);
    await until(() => limiter.stats().inFlight === 0);
    expect(statuses).toEqual([499]);
    waiting[0]?.();
  });
});

describe('an answer over HTTP/2 without a body', () => {
  it('gives its place back within a second, though the client never ends its request', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const statuses: number[] = [];
    const limited = limit({ limiter, count: (_, status) => statuses.push(status) > 0 });
    const url = await started(
      createServer((request, response) => {
        limited(mistyped(request), mistyped(response), () => void response.writeHead(204).end());
      }),
    );
    const session = connect(url);
    closing.unshift({ close: async () => session.destroy() });
    const stream = session.request({ ':path': '/', ':method': 'POST' }, { endStream: false });
    expect(await statusOf(stream)).toBe(204);
    await until(() => limiter.stats().inFlight === 0);
    expect([statuses, stream.destroyed]).toEqual([[204], false]);
  });
});
