// biome-ignore lint/suspicious/noTsIgnore: the types of a framework that need not be installed, in the .d.ts too
/** @ts-ignore: only where it is installed */
import type { FastifyReply as InstalledReply, FastifyRequest as InstalledRequest } from 'fastify';
import { bare, optionError } from '../input/index.js';
import type { HttpRequest, HttpResponse, Installed } from './messages.js';
import { hasGone, NodeReader, type Own } from './node-reader.js';
import { isRefused, type LimitOptions, Policy, type Verdict } from './policy.js';
import { presentIn } from './present.js';
import { isPromise } from './promises.js';
import { type RateLimit, rateLimitsOn } from './rate-limits.js';
import type { Refusal, RefusalInfo } from './refusal.js';
import { seeAnswered } from './refusing.js';
import { anythingWritten, markUpgrade, onResponseEnd } from './response-end.js';
import { errorOf } from './thrown.js';
import { hangUp } from './upgrade.js';

export type { LimitOptions } from './policy.js';
export type { RateLimit } from './rate-limits.js';
export type { RefusalInfo } from './refusal.js';

/** What is used of Fastify: versions 4 (from 4.10) and 5. */
export interface FastifyRequest {
  readonly raw: HttpRequest;
  /** The client's address, by the server's option `trustProxy`. */
  readonly ip?: string;
  /** From the hook 'preValidation' on. */
  readonly body?: unknown;
  /** Whether it came as an upgrade: of @fastify/websocket. */
  readonly ws?: unknown;
  /** Whether no route has been found. */
  readonly is404?: boolean;
  readonly routeOptions?: { readonly config?: unknown };
}
export interface FastifyReply {
  readonly raw: HttpResponse;
  readonly sent: boolean;
  code(status: number): FastifyReply;
  getHeader(name: string): unknown;
  headers(values: Record<string, string>): FastifyReply;
  send(body: unknown): FastifyReply;
}
/** When a request is limited: Fastify's hooks before the handler, in their order. */
export type FastifyHook = 'onRequest' | 'preParsing' | 'preValidation' | 'preHandler';
export interface FastifyInstance {
  addHook(...hook: never[]): unknown;
}
interface Hooks {
  addHook(name: 'onRoute', hook: (route: { config?: unknown }) => void): unknown;
  addHook(name: FastifyHook, hook: (request: never, reply: never, ...rest: never[]) => void): unknown;
}

/** Fastify's own request and reply, with what the program has declared that they are decorated with. */
type OwnRequest = Installed<InstalledRequest, FastifyRequest>;
type OwnReply = Installed<InstalledReply, FastifyReply>;

/** The options of `fastifyLimit`. */
export interface FastifyLimitOptions<Request> extends LimitOptions<Request, OwnReply> {
  /**
   * The hook in which requests are limited. 'onRequest' limits before anything is read of a body, 'preParsing' after the
   * onRequest hooks of others (of authentication, say); 'preValidation' and 'preHandler' know `request.body`, but limit
   * only what has been parsed (and, 'preHandler', is valid). Default: 'onRequest'.
   */
  readonly hook?: FastifyHook;
  /** Whether requests that no route is found for are limited. Default: true. */
  readonly notFound?: boolean;
  /**
   * Answers a refusal in place of `{"error":"rate limited"}`: by what it returns (or its promise is resolved with), by
   * `reply.send`, at once or later, or by what it throws. The reply has the status and the fields of the limit already
   * (`info.headers`). An async function that sends later returns the reply, as Fastify has it; if it returns nothing and
   * has not sent, or if nothing has answered after ten seconds, the answer is the one without this option.
   *
   * @example
   * fastify.register(fastifyLimit, { limiter, refuse: (info) => ({ wait: Math.ceil(info.retryAfterMs / 1_000) }) })
   */
  readonly refuse?: (info: RefusalInfo, request: Request, reply: OwnReply) => unknown;
}

/** The options of `fastifyLimit` that a route's `config.limit` can replace. */
type RouteOptions<Request> = Omit<FastifyLimitOptions<Request>, 'hook' | 'notFound'>;
/** What a route's `config.limit` can be. */
export type FastifyRouteLimit<Request> =
  | false
  | { readonly [Name in keyof RouteOptions<Request>]?: RouteOptions<Request>[Name] | undefined };

// biome-ignore lint/suspicious/noTsIgnore: as above
/** @ts-ignore: only where it is installed */
declare module 'fastify' {
  interface FastifyContextConfig {
    /** What `fastifyLimit` of sluice/fastify does for this route: other options, or nothing. */
    limit?: FastifyRouteLimit<OwnRequest> | undefined;
  }
  interface FastifyRequest {
    /** What the limiters of sluice/fastify have decided about it, in their order. */
    rateLimit?: RateLimit[];
  }
}

const hooks: readonly FastifyHook[] = ['onRequest', 'preParsing', 'preValidation', 'preHandler'];

/**
 * A Fastify plugin that limits all routes of the scope it is registered in, and of scopes within, whenever they are
 * declared. Several are asked in the order in which they are registered. A route's `config.limit` replaces single
 * options for that route (a `cost`, its own `limiter`), or excepts it with `false`; what it leaves out, or has as
 * undefined, is the plugin's. Functions among the options get Fastify's request; where it is one of a route's own types,
 * `fastifyLimit<FastifyRequest<{ Body: Order }>>` says so. Otherwise as `limit` of sluice/http.
 * @throws (rejects) TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option, when registered. For a
 *   route's, when the route is declared; if it was declared before the plugin was loaded, each of its requests fails with
 *   that error.
 */
export function fastifyLimit<Request extends FastifyRequest>(
  fastify: FastifyInstance,
  options: FastifyLimitOptions<Request>,
): Promise<void>;
// `register` takes the types of options from the last signature, and only if that is not generic.
export function fastifyLimit(
  fastify: FastifyInstance,
  options: FastifyLimitOptions<OwnRequest>,
): Promise<void>;
export async function fastifyLimit<Request extends FastifyRequest>(
  fastify: FastifyInstance,
  options: FastifyLimitOptions<Request>,
): Promise<void> {
  const { hook = 'onRequest', notFound = true, ...shared } = bare({ ...options });
  if (!hooks.includes(hook)) {
    throw optionError('fastifyLimit: hook', hooks.join(', '), hook, typeof hook !== 'string');
  }
  if (typeof notFound !== 'boolean') {
    throw optionError('fastifyLimit: notFound', 'true or false', notFound, true);
  }
  const policyOf = policies<Request>(shared);
  const own: Own<Request> = { address: ({ ip }) => ip, rateLimits: rateLimitsOn };
  const limited = (request: Request, reply: FastifyReply, done: Done) => {
    let policy: Policy<Request> | undefined;
    let verdict: ReturnType<Policy<Request>['decide']>;
    const present = presentIn(reply);
    if (request.raw.headers.upgrade !== undefined) markUpgradeOf(request);
    try {
      if (notFound || request.is404 !== true) policy = policyOf(request.routeOptions?.config);
      if (policy === undefined) return done();
      const exchange = { request, raw: request.raw, response: reply, rawResponse: reply.raw, present };
      verdict = policy.decide(request, new NodeReader(policy, exchange, own));
    } catch (error) {
      return done(error as Error);
    }
    if (isPromise(verdict)) afterwards(verdict, policy, request, reply, done);
    else act(verdict, policy, request, reply, done);
  };
  const scope: Hooks = fastify;
  scope.addHook('onRoute', ({ config }) => {
    policyOf(config); // a mistake in it is to be known where it is
  });
  if (hook !== 'preParsing') scope.addHook(hook, limited);
  else scope.addHook(hook, (request, reply, _payload, done) => limited(request, reply, done));
}

type Done = (error?: Error) => void;

function act<Request extends FastifyRequest>(
  verdict: Verdict | undefined,
  policy: Policy<Request>,
  request: Request,
  reply: FastifyReply,
  done: Done,
) {
  if (verdict === undefined) return done();
  if (isRefused(verdict)) return refuse(policy, verdict.refusal, request, reply, done);
  const { headers, end } = verdict.passed;
  if (end !== undefined) onResponseEnd(reply.raw, end);
  reply.headers(headers(presentIn(reply)));
  done();
}

/** In a function of its own: a request that is decided at once allocates no closure. */
function afterwards<Request extends FastifyRequest>(
  verdict: PromiseLike<Verdict | undefined>,
  policy: Policy<Request>,
  request: Request,
  reply: FastifyReply,
  done: Done,
): void {
  verdict.then((known) => act(known, policy, request, reply, done), done);
}

function refuse<Request extends FastifyRequest>(
  policy: Policy<Request>,
  refusal: Refusal,
  request: Request,
  reply: FastifyReply,
  done: Done,
) {
  if (reply.sent) return; // something else has answered while it was decided
  const { status, headers, body, contentType, info } = refusal;
  reply.code(status).headers(headers);
  if (request.raw.headers.upgrade !== undefined) hangUpAfter(reply);
  const answer = (): void => {
    reply.headers({ 'Content-Type': contentType }).send(body);
  };
  if (policy.refuse === undefined || info === undefined) return answer();
  let isFailed = false;
  const failed = (error: unknown): void => {
    isFailed = true;
    done(errorOf(policy.where, error) as Error);
  };
  let result: unknown;
  try {
    result = policy.refuse(info, request, reply);
  } catch (error) {
    return failed(error);
  }
  const send = (payload: unknown) => {
    if (reply.sent) return;
    if (payload === undefined) answer();
    else reply.send(payload);
  };
  // A reply is like a promise of having been sent.
  if (isPromise(result)) result = result.then(send);
  else if (result !== undefined) return send(result);
  seeAnswered(result, {
    isAnswered: () => isFailed || reply.sent || hasGone(reply.raw),
    answer,
    failed,
    onEnd: (ended) => onResponseEnd(reply.raw, ended),
  });
}

// As fastify-plugin does: the hooks are those of the scope that registers the plugin.
Object.assign(fastifyLimit, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'sluice-limit',
  [Symbol.for('plugin-meta')]: { name: 'sluice-limit', fastify: '^4.10.0 || 5.x' },
});

/** An upgrade of @fastify/websocket is one by `ws`, from that plugin's own hook on. */
function markUpgradeOf(request: FastifyRequest): void {
  const written = anythingWritten(request.raw);
  markUpgrade(request.raw, () => (request.ws === true ? written() : undefined));
}

/**
 * An upgrade that is refused before the hook of @fastify/websocket is not known to it, and not to the server either:
 * neither would close the connection.
 */
function hangUpAfter({ raw }: FastifyReply): void {
  raw.setHeader('Connection', 'close');
  raw.once('finish', () => {
    const { socket } = raw;
    if (socket !== null && !socket.writableEnded) hangUp(socket);
  });
}

/** The policy for a route by its `config`, or undefined if it is excepted: one for all routes without `config.limit`. */
function policies<Request extends FastifyRequest>(
  shared: LimitOptions<Request>,
): (config: unknown) => Policy<Request> | undefined {
  const common = new Policy<Request>('fastifyLimit', shared, 'address');
  const ofRoutes = new WeakMap<object, Policy<Request>>();
  return (config) => {
    const own = ownLimit(config);
    if (own === undefined) return common;
    if (own === false) return undefined;
    if (typeof own !== 'object' || own === null || Array.isArray(own)) {
      throw optionError('fastifyLimit: config.limit', 'false, or an object of options', own, true);
    }
    let policy = ofRoutes.get(own);
    if (policy === undefined) {
      const given = Object.entries(own).filter(([, value]) => value !== undefined);
      // A route with a limiter of its own has left the plans among which the plugin's function chooses.
      const { plans: _plans, ...withoutPlans } = shared;
      const plugins = given.some(([name]) => name === 'limiter') ? withoutPlans : shared;
      const options = { ...plugins, limiter: common.limiter, ...Object.fromEntries(given) };
      policy = new Policy<Request>('fastifyLimit: config.limit', options, 'address');
      ofRoutes.set(own, policy);
    }
    return policy;
  };
}

/** By its own property: what a `config` inherits excepts nothing. */
function ownLimit(config: unknown): unknown {
  if (typeof config !== 'object' || config === null || !Object.hasOwn(config, 'limit')) return undefined;
  return (config as { readonly limit: unknown }).limit;
}
