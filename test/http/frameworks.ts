import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { getRequestListener } from '@hono/node-server';
import type Express from 'express';
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { fastifyLimit } from 'sluice/fastify';
import { type FetchLimitOptions, fetchLimit, honoLimit, rateLimitOf } from 'sluice/fetch';
import { limit, type RefusalInfo } from 'sluice/http';
import { koaLimit } from 'sluice/koa';

const require = createRequire(import.meta.url);

/** The options that mean the same in all frameworks. */
export type SharedOptions = Omit<FetchLimitOptions<unknown>, 'count' | 'finalCost' | 'refuse'> & {
  count?: 'all' | 'failed' | 'successful' | ((response: unknown, status: number) => boolean);
  finalCost?: (response: unknown, status: number) => number;
  refuse?: (info: RefusalInfo, ...rest: unknown[]) => never;
};
/**
 * Answers a request that passed, after its body has been read. The function may take a while, and may fail.
 * `rateLimits`: what the limiters have decided.
 */
export type Answer = (path: string, rateLimits: unknown) => Promise<{ status: number; body: string }>;
/** The property of a framework's request that a limit sets for handlers. */
type Limited = { readonly rateLimit?: unknown };

export interface Running {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export async function listening(server: NetServer & { closeAllConnections?(): void }): Promise<Running> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections?.(); // a server of HTTP/2 has no such method
      await closed;
    },
  };
}

const plain =
  (answer: Answer) =>
  (request: IncomingMessage, response: ServerResponse, next: (error: unknown) => void): void => {
    answered(request, request as Limited, answer).then(({ status, body }) => {
      response.statusCode = status;
      response.end(body);
    }, next);
  };

async function answered(request: IncomingMessage, limited: Limited, answer: Answer): ReturnType<Answer> {
  if (request.method === 'POST') await text(request);
  return answer(request.url ?? '', limited.rateLimit);
}

/**
 * Starts a server with one limit for each options object. Those in `further` come after the first: where the framework
 * has a router, a scope or an application within the application, they limit that.
 */
export type Start = (options: SharedOptions, answer: Answer, ...further: SharedOptions[]) => Promise<Running>;

/** Makes one middleware for each options object. An object that is given several times gets one middleware. */
function madeOnce<Middleware>(
  make: (options: SharedOptions) => Middleware,
  first: SharedOptions,
  further: readonly SharedOptions[],
): [Middleware, ...Middleware[]] {
  const made = new Map<SharedOptions, Middleware>();
  const of = (options: SharedOptions): Middleware => {
    const one = made.get(options) ?? make(options);
    made.set(options, one);
    return one;
  };
  return [of(first), ...further.map(of)];
}

function express(make: typeof Express): Start {
  return (options, answer, ...further) => {
    const app = make();
    const [outer, ...inner] = madeOnce((one) => limit(one), options, further);
    app.use(outer);
    const router = make.Router();
    for (const one of inner) router.use(one);
    router.use(plain(answer));
    app.use(router);
    app.use((_error: unknown, _request: unknown, response: ServerResponse, _next: unknown) => {
      response.statusCode = 500;
      response.end();
    });
    return listening(createServer(app));
  };
}

function fastify(make: typeof Fastify): Start {
  return async (options, answer, ...further) => {
    const app = make({ forceCloseConnections: true });
    app.register(fastifyLimit, options); // not awaited
    app.register((scope, _options, done) => {
      for (const one of further) scope.register(fastifyLimit, one);
      const handler = async (request: FastifyRequest, reply: FastifyReply) => {
        const { status, body } = await answer(request.url, request.rateLimit);
        return reply.code(status).send(body);
      };
      scope.route({ method: ['GET', 'POST'], url: '*', handler });
      done();
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    return { url, port: Number(new URL(url).port), close: () => app.close() };
  };
}

export const frameworks: Record<string, Start> = {
  'node:http': (options, answer, ...further) => {
    const all = madeOnce((one) => limit(one), options, further);
    const app = plain(answer);
    return listening(
      createServer((request, response) => {
        const failed = (): void => {
          response.statusCode = 500;
          response.end();
        };
        const from = (at: number): void => {
          const limited = all[at];
          if (limited === undefined) app(request, response, failed);
          else limited(request, response, (error) => (error === undefined ? from(at + 1) : failed()));
        };
        from(0);
      }),
    );
  },
  'Express 5': express(require('express') as typeof Express),
  'Express 4': express(require('express4') as typeof Express),
  'Fastify 5': fastify(Fastify),
  'Fastify 4': fastify(require('fastify4') as typeof Fastify),
  Koa: (options, answer, ...further) => {
    const app = new Koa();
    app.on('error', () => {});
    for (const one of madeOnce((one) => koaLimit(one), options, further)) app.use(one);
    app.use(async (context) => {
      const { req, state } = context;
      const { status, body } = await answered(req, state, answer);
      Object.assign(context, { status, body });
    });
    return listening(createServer(app.callback()));
  },
  Hono: (options, answer, ...further) => {
    const app = new Hono();
    app.onError((_error, context) => context.text('', 500));
    const within = new Hono();
    const [outer, ...inner] = madeOnce((one) => honoLimit(one), options, further);
    app.use(outer);
    for (const one of inner) within.use(one);
    within.on(['GET', 'POST'], '*', async (context) => {
      await context.req.text();
      const { status, body } = await answer(new URL(context.req.url).pathname, context.get('rateLimit'));
      return context.text(body, status as 200);
    });
    app.route('/', within);
    return listening(createServer(getRequestListener(app.fetch)));
  },
  'a fetch handler': (options, answer, ...further) => {
    let handler = async (request: Request): Promise<Response> => {
      await request.text();
      const { status, body } = await answer(new URL(request.url).pathname, rateLimitOf(request));
      return new Response(body, { status });
    };
    for (const one of [options, ...further].reverse()) handler = fetchLimit(handler, one);
    const errorHandler = () => new Response('', { status: 500 });
    return listening(createServer(getRequestListener(handler, { errorHandler })));
  },
};
