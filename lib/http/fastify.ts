import type { IncomingMessage, ServerResponse } from 'node:http';
import { optionError } from '../errors.js';
import { decideFor } from './index.js';
import { isRefused, type LimitOptions, Policy, type Verdict } from './policy.js';
import { presentIn } from './present.js';
import { onResponseEnd } from './response-end.js';

export type { LimitOptions } from './policy.js';

/** What is used of Fastify: versions 4 and 5. */
export interface FastifyRequest {
  readonly raw: IncomingMessage;
  /** The client's address, by the server's option `trustProxy`. */
  readonly ip?: string;
}
export interface FastifyReply {
  readonly raw: ServerResponse;
  code(status: number): FastifyReply;
  getHeader(name: string): unknown;
  headers(values: Record<string, string>): FastifyReply;
  send(body: unknown): FastifyReply;
}
interface RouteOptions {
  config?: unknown;
  onRequest?: unknown;
}
export interface FastifyInstance {
  addHook(name: 'onRoute', hook: (route: RouteOptions) => void): unknown;
}

type OnRequest<Request> = (request: Request, reply: FastifyReply, done: (error?: Error) => void) => void;

/**
 * A Fastify plugin that limits the routes of the scope it is registered in, and of scopes within, that are declared
 * after it. A route's `config.limit` replaces single options for that route (its own `limiter`, a `cost`), or
 * excepts it with `false`. Functions among the options get Fastify's request. Otherwise as `limit` of sluice/http.
 * @throws (rejects) TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option, when registered or, for a
 *   route's, when the route is declared.
 */
export async function fastifyLimit<Request extends FastifyRequest = FastifyRequest>(
  fastify: FastifyInstance,
  options: LimitOptions<Request>,
): Promise<void> {
  const policy = new Policy<Request>('fastifyLimit', options, 'address');
  fastify.addHook('onRoute', (route) => {
    const own = (route.config as { readonly limit?: LimitOptions<Request> | false } | undefined)?.limit;
    if (own === false) return;
    if (own !== undefined && (typeof own !== 'object' || own === null || Array.isArray(own))) {
      throw optionError('fastifyLimit: config.limit', 'false, or an object of options', own, true);
    }
    const routePolicy =
      own === undefined
        ? policy
        : new Policy<Request>('fastifyLimit: config.limit', { ...options, ...own }, 'address');
    const earlier = route.onRequest === undefined ? [] : [route.onRequest].flat();
    route.onRequest = [hookOf(routePolicy), ...earlier];
  });
}

// As fastify-plugin does: the hooks are those of the scope that registers the plugin.
Object.assign(fastifyLimit, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'sluice-limit',
  [Symbol.for('plugin-meta')]: { name: 'sluice-limit', fastify: '4.x || 5.x' },
});

function hookOf<Request extends FastifyRequest>(policy: Policy<Request>): OnRequest<Request> {
  return (request, reply, done) => {
    const present = presentIn(reply);
    let verdict: Verdict | undefined;
    try {
      verdict = decideFor(policy, request, request.raw, present, () => request.ip);
    } catch (error) {
      return done(error as Error);
    }
    if (verdict === undefined) return done();
    if (isRefused(verdict)) {
      const { status, headers, body } = verdict.refusal;
      reply.code(status).headers(headers).send(body);
      return;
    }
    const { headers, end } = verdict.passed;
    reply.headers(headers(present));
    onResponseEnd(reply.raw, () => end(reply.raw.writableFinished ? reply.raw.statusCode : 499));
    done();
  };
}
