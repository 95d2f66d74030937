import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { fastifyLimit } from 'sluice/fastify';
import { fetchLimit, honoLimit } from 'sluice/fetch';
import { type LimitOptions, limit } from 'sluice/http';
import { koaLimit } from 'sluice/koa';

const require = createRequire(import.meta.url);

/** What the tests use of packages without types. */
interface ExpressApp {
  (request: IncomingMessage, response: ServerResponse): void;
  use(middleware: unknown): void;
}
interface KoaApp {
  use(middleware: (context: { body: unknown }, next: () => Promise<void>) => unknown): void;
  on(event: 'error', listener: () => void): void;
  callback(): (request: IncomingMessage, response: ServerResponse) => void;
}

/** The options that mean the same in all frameworks. */
export type SharedOptions = Omit<LimitOptions<never>, 'key' | 'cost' | 'skip'> & {
  key?: { header: string };
  cost?: number | (() => number);
  skip?: () => boolean;
};
/** What answers a request that passed: after a while, perhaps with an error. */
export type Answer = (path: string) => Promise<{ status: number; body: string }>;

export interface Running {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export async function listening(server: Server): Promise<Running> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections?.(); // a server of HTTP/2 has none
      await closed;
    },
  };
}

const plain =
  (answer: Answer) =>
  (request: IncomingMessage, response: ServerResponse, next: (error: unknown) => void): void => {
    answer(request.url ?? '').then(({ status, body }) => {
      response.statusCode = status;
      response.end(body);
    }, next);
  };

function express(name: 'express' | 'express4') {
  return (options: SharedOptions, answer: Answer) => {
    const app = (require(name) as () => ExpressApp)();
    app.use(limit(options));
    app.use(plain(answer));
    app.use((_error: unknown, _request: unknown, response: ServerResponse, _next: unknown) => {
      response.statusCode = 500;
      response.end();
    });
    return listening(createServer(app));
  };
}

export const frameworks: Record<string, (options: SharedOptions, answer: Answer) => Promise<Running>> = {
  'node:http': (options, answer) => {
    const limited = limit(options);
    const app = plain(answer);
    return listening(
      createServer((request, response) => {
        const failed = (): void => {
          response.statusCode = 500;
          response.end();
        };
        limited(request, response, (error) =>
          error === undefined ? app(request, response, failed) : failed(),
        );
      }),
    );
  },
  'Express 5': express('express'),
  'Express 4': express('express4'),
  Fastify: async (options, answer) => {
    const fastify = Fastify({ forceCloseConnections: true });
    await fastify.register(fastifyLimit as never, options as never);
    fastify.get('*', async (request, reply) => {
      const { status, body } = await answer(request.url);
      return reply.code(status).send(body);
    });
    const url = await fastify.listen({ port: 0, host: '127.0.0.1' });
    return { url, port: Number(new URL(url).port), close: () => fastify.close() };
  },
  Koa: (options, answer) => {
    const app = new (require('koa') as new () => KoaApp)();
    app.on('error', () => {});
    app.use(koaLimit(options) as never);
    app.use(async (context) => {
      const { status, body } = await answer((context as unknown as { url: string }).url);
      Object.assign(context, { status, body });
    });
    return listening(createServer(app.callback()));
  },
  Hono: (options, answer) => {
    const app = new Hono();
    app.onError((_error, context) => context.text('', 500));
    app.use(honoLimit(options as never) as never);
    app.get('*', async (context) => {
      const { status, body } = await answer(new URL(context.req.url).pathname);
      return context.text(body, status as 200);
    });
    return listening(createServer(getRequestListener(app.fetch)));
  },
  'a fetch handler': (options, answer) => {
    const handler = fetchLimit(async (request: Request) => {
      const { status, body } = await answer(new URL(request.url).pathname);
      return new Response(body, { status });
    }, options as never);
    const errorHandler = () => new Response('', { status: 500 });
    return listening(createServer(getRequestListener(handler, { errorHandler })));
  },
};
