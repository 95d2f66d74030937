/**
 * A plugin that limits the requests of a Fastify server.
 *
 * @module sluice/fastify
 */
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

/** The parts of Fastify that sluice uses: versions 4 (from 4.10) and 5. */
export interface FastifyRequest {
  /** The request of node:http. */
  readonly raw: HttpRequest;
  /** The client's address, by the server's option `trustProxy`. */
  readonly ip?: string;
  /** The parsed body, from the hook 'preValidation' on. */
  readonly body?: unknown;
  /** Whether the request is an upgrade; set by @fastify/websocket. */
  readonly ws?: unknown;
  /** Whether no route matches. */
  readonly is404?: boolean;
  /** The options that the route was declared with. */
  readonly routeOptions?: {
    /** The route's own settings. */
    readonly config?: unknown;
  };
}
/** The parts of a Fastify reply that sluice uses. */
export interface FastifyReply {
  /** The response of node:http. */
  readonly raw: HttpResponse;
  /** Whether an answer was sent. */
  readonly sent: boolean;
  /** Sets the status. */
  code(status: number): FastifyReply;
  /** Returns a header field. */
  getHeader(name: string): unknown;
  /** Sets header fields. */
  headers(values: Record<string, string>): FastifyReply;
  /** Sends the answer. */
  send(body: unknown): FastifyReply;
}
/** Fastify's hooks before the handler, in their order. A request is limited in one of them. */
export type FastifyHook = 'onRequest' | 'preParsing' | 'preValidation' | 'preHandler';
/** The parts of a Fastify server that sluice uses. */
export interface FastifyInstance {
  /** Adds a hook. */
  addHook(...hook: never[]): unknown;
}
interface Hooks {
  addHook(name: 'onRoute', hook: (route: { config?: unknown }) => void): unknown;
  addHook(name: FastifyHook, hook: (request: never, reply: never, ...rest: never[]) => void): unknown;
}

/** Fastify's own request and reply, with the decorations that the program has declared. */
type OwnRequest = Installed<InstalledRequest, FastifyRequest>;
type OwnReply = Installed<InstalledReply, FastifyReply>;

/** The options of `fastifyLimit`. */
export interface FastifyLimitOptions<Request> extends LimitOptions<Request, OwnReply> {
  /**
   * The hook in which requests are limited. 'onRequest' limits before any of the body is read. 'preParsing' limits
   * after the onRequest hooks of others (authentication, say). 'preValidation' and 'preHandler' see `request.body`, but
   * limit only requests whose body was parsed and, for 'preHandler', is valid. Default: 'onRequest'.
   */
  readonly hook?: FastifyHook | undefined;
  /** Whether requests that match no route are limited. Default: true. */
  readonly notFound?: boolean | undefined;
  /**
   * Answers a refusal in place of `{"error":"rate limited"}`: with its result (or the value of its promise), with
   * `reply.send` (at once or later), or by throwing. The reply already has the status and the fields of the limit
   * (`info.headers`). An async function that sends later returns the reply, as Fastify requires: if its promise
   * resolves to undefined before an answer is sent, the default answer is sent. If there is no answer after ten
   * seconds, the default answer is sent, too.
   *
   * @example
   * fastify.register(fastifyLimit, { limiter, refuse: (info) => ({ wait: Math.ceil(info.retryAfterMs / 1_000) }) })
   */
  readonly refuse?: ((info: RefusalInfo, request: Request, reply: OwnReply) => unknown) | undefined;
}

/** The options of `fastifyLimit` that a route's `config.limit` can replace. */
type RouteOptions<Request> = Omit<FastifyLimitOptions<Request>, 'hook' | 'notFound'>;
/** The type of a route's `config.limit`. */
export type FastifyRouteLimit<Request> =
  | false
  | { readonly [Name in keyof RouteOptions<Request>]?: RouteOptions<Request>[Name] | undefined };

// biome-ignore lint/suspicious/noTsIgnore: as above
/** @ts-ignore: only where it is installed */
declare module 'fastify' {
  interface FastifyContextConfig {
    /** The options of `fastifyLimit` of sluice/fastify for this route; false: the route is not limited. */
    limit?: FastifyRouteLimit<OwnRequest> | undefined;
  }
  interface FastifyRequest {
    /** The decisions of sluice/fastify's limiters about this request, in their order. */
    rateLimit?: RateLimit[];
  }
}

const hooks: readonly FastifyHook[] = ['onRequest', 'preParsing', 'preValidation', 'preHandler'];

/**
 * A Fastify plugin that limits all routes of the scope in which it is registered, and of scopes within, whenever they
 * are declared. Several plugins decide in the order in which they are registered. A route's `config.limit` replaces
 * single options for that route (a `cost`, its own `limiter`), or exempts it with `false`. Options that it leaves out
 * or sets to undefined are the plugin's. Functions among the options get Fastify's request;
 * `fastifyLimit<FastifyRequest<{ Body: Order }>>` names its type. Otherwise the plugin behaves as `limit` of
 * sluice/http.
 *
 * @param fastify The scope that the plugin is registered in.
 * @param options The options of `limit`, and `hook` and `notFound`.
 * @returns A promise that is resolved when the hooks are added.
 * @throws (rejects) TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option, when the plugin is
 *   registered. A bad option of a route throws when the route is declared; if the route was declared before the plugin
 *   was loaded, each of its requests fails with that error.
 * @example
 * await fastify.register(fastifyLimit, { limiter });
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
    policyOf(config); // throws at the declaration of the route, where the mistake is
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

/** A separate function, so that a request that is decided at once allocates no closure. */
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
  if (reply.sent) return; // other code answered while the decision was pending
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
  // `result` may also be the reply: it is a thenable, which resolves when the reply has been sent.
  if (isPromise(result)) result = result.then(send);
  else if (result !== undefined) return send(result);
  seeAnswered(result, {
    isAnswered: () => isFailed || reply.sent || hasGone(reply.raw),
    answer,
    failed,
    onEnd: (ended) => onResponseEnd(reply.raw, ended),
  });
}

// Makes the plugin add its hooks to the scope that registers it, as fastify-plugin does.
Object.assign(fastifyLimit, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'sluice-limit',
  [Symbol.for('plugin-meta')]: { name: 'sluice-limit', fastify: '^4.10.0 || 5.x' },
});

/**
 * The hook of @fastify/websocket sets `ws` on an upgrade. It may run later, so `ws` is read only when the status is
 * asked for.
 */
function markUpgradeOf(request: FastifyRequest): void {
  const written = anythingWritten(request.raw);
  markUpgrade(request.raw, () => (request.ws === true ? written() : undefined));
}

/**
 * Closes the connection of a refused upgrade. If the upgrade is refused before the hook of @fastify/websocket has run,
 * neither that plugin nor the server knows of the upgrade, and neither would close the connection.
 */
function hangUpAfter({ raw }: FastifyReply): void {
  raw.setHeader('Connection', 'close');
  raw.once('finish', () => {
    const { socket } = raw;
    if (socket !== null && !socket.writableEnded) hangUp(socket);
  });
}

/**
 * Returns a function that finds the policy of a route by its `config`, or undefined if the route is exempt. Routes
 * without `config.limit` share one policy.
 */
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
      // A route with its own limiter does not use the plans among which the plugin's function chooses.
      const { plans: _plans, ...withoutPlans } = shared;
      const plugins = given.some(([name]) => name === 'limiter') ? withoutPlans : shared;
      const options = { ...plugins, limiter: common.limiter, ...Object.fromEntries(given) };
      policy = new Policy<Request>('fastifyLimit: config.limit', options, 'address');
      ofRoutes.set(own, policy);
    }
    return policy;
  };
}

/** Reads an own property only: a value that `config` inherits exempts nothing. */
function ownLimit(config: unknown): unknown {
  if (typeof config !== 'object' || config === null || !Object.hasOwn(config, 'limit')) return undefined;
  return (config as { readonly limit: unknown }).limit;
}
