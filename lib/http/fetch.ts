/**
 * Limits for Hono, and for handlers that take a Request and return a Response.
 *
 * @module sluice/fetch
 */
// biome-ignore lint/suspicious/noTsIgnore: the types of a framework that need not be installed, in the .d.ts too
/** @ts-ignore: only where it is installed */
import type { Context as InstalledContext } from 'hono';
import { bare, optionError } from '../input/index.js';
import { checkedResponse, finished, outgoingOf, upgradeOf, withEach } from './fetch-answer.js';
import type { Installed } from './messages.js';
import { hasGone, hasLeft, whenGone } from './node-reader.js';
import { isRefused, type LimitOptions, Policy } from './policy.js';
import { isPromise, type MaybePromise } from './promises.js';
import type { RateLimit } from './rate-limits.js';
import type { Reader } from './reader.js';
import type { Refusal, RefusalInfo } from './refusal.js';
import { errorOf } from './thrown.js';

export type { LimitOptions } from './policy.js';
export type { RateLimit } from './rate-limits.js';
export type { RefusalInfo } from './refusal.js';

// biome-ignore lint/suspicious/noTsIgnore: as above
/** @ts-ignore: only where it is installed */
declare module 'hono' {
  interface ContextVariableMap {
    /** The decisions of `honoLimit`'s limiters about the request, in their order. */
    rateLimit: readonly RateLimit[] | undefined;
  }
}

/** The parts of a Hono context that sluice uses. */
export interface HonoContext {
  /** The request. */
  readonly req: {
    /** The request of the fetch handler. */
    readonly raw: Request;
  };
  /** The environment. That of @hono/node-server has the request and response of node:http. */
  readonly env?: unknown;
  /** The response. */
  res: Response;
  /** Returns a variable. */
  get(key: never): unknown;
  /** Sets a variable. */
  set(key: never, value: never): void;
  /** Sets the status. */
  status(status: never): void;
  /** Sets a header field. */
  header(name: string, value: string): void;
}

/** The context's variables as the limiters use them, whatever variables an application has declared. */
interface Variables {
  get(key: 'rateLimit'): unknown;
  set(key: 'rateLimit', value: RateLimit[]): void;
}

/** The options of the adapters that know no socket, and so no address. */
interface WithoutAddress<Request, Response>
  extends Omit<LimitOptions<Request, Response>, 'trustedProxies' | 'ipv6Prefix' | 'key'> {
  /** The key of a request, for a limiter with keys: a header's value, or the result of a function. */
  readonly key?: Exclude<LimitOptions<Request>['key'], 'address' | undefined>;
}

/** The options of `fetchLimit`. */
export interface FetchLimitOptions<Own = Request> extends WithoutAddress<Own, Response | undefined> {
  /**
   * Answers a refusal in place of `{"error":"rate limited"}`, with the Response that it returns (or resolves to), or by
   * throwing. The Response gets the fields of the limit (`info.headers`) that it does not have. If the function returns
   * undefined, the default answer is sent.
   *
   * @example
   * fetchLimit(handler, { limiter, refuse: ({ status }) => new Response('slow down', { status }) })
   */
  readonly refuse?: ((info: RefusalInfo, request: Own) => MaybePromise<Response | undefined>) | undefined;
}

/** The options of `honoLimit`. */
export interface HonoLimitOptions<Context> extends WithoutAddress<Context, Context> {
  /**
   * As `refuse` of `fetchLimit`. The context already has the status and the fields of the limit, for the Response that
   * the function makes with it, or that `app.onError` makes for a thrown error.
   *
   * @example
   * honoLimit({ limiter, refuse: (info, context) => context.json({ wait: info.retryAfterMs }) })
   */
  readonly refuse?: ((info: RefusalInfo, context: Context) => MaybePromise<Response | undefined>) | undefined;
}

/** The decisions of limiters about requests. A Request has no property for them. */
const rateLimits = new WeakMap<Request, RateLimit[]>();

/**
 * Returns the decisions of `fetchLimit`'s limiters about a request, in their order; an empty list if there is none.
 * With `honoLimit` use `context.get('rateLimit')`.
 *
 * @param request The request that the handler was given.
 * @returns The list.
 * @throws Nothing.
 * @example
 * const [first] = rateLimitOf(request);
 */
export function rateLimitOf(request: Request): readonly RateLimit[] {
  return rateLimits.get(request) ?? [];
}

function rateLimitsOf(request: Request): RateLimit[] {
  let list = rateLimits.get(request);
  if (list === undefined) {
    list = [];
    rateLimits.set(request, list);
  }
  return list;
}

function rateLimitsIn(context: Variables): RateLimit[] {
  const found = context.get('rateLimit');
  if (Array.isArray(found)) return found as RateLimit[];
  const list: RateLimit[] = [];
  context.set('rateLimit', list);
  return list;
}

/**
 * Limits a handler that turns a `Request` into a `Response`. There is no socket, so a limiter with keys needs the
 * option `key`. The depth that the request holds is given back once: when the body of the response has been read, was
 * cancelled or has failed (at once if there is no body), when the handler throws, or when the request's signal aborts.
 * If the handler's second argument has the response of node:http as `outgoing` (as @hono/node-server passes it), the
 * depth is given back when that response has ended in any way.
 *
 * @param handler Answers a request that is let through.
 * @param options The options of `limit`; `key` is needed if the limiter has keys.
 * @returns The limited handler.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 * @example
 * const fetch = fetchLimit(handle, { limiter, key: { header: 'x-api-key' } });
 */
export function fetchLimit<Own extends Request, Rest extends unknown[]>(
  handler: (request: Own, ...rest: Rest) => Response | Promise<Response>,
  options?: FetchLimitOptions<Own>,
): (request: Own, ...rest: Rest) => Promise<Response> {
  if (typeof handler !== 'function') throw optionError('fetchLimit: handler', 'a function', handler, true);
  const policy = new Policy<Own>('fetchLimit', options);
  return async (request, ...rest) => {
    let response: Response | undefined;
    const respond = async () => {
      response = checkedResponse('fetchLimit: handler', await handler(request, ...rest));
      return response;
    };
    const read = reader(request, [request], rest[0], {
      rateLimits: () => rateLimitsOf(request),
      response: () => response,
    });
    const decided = policy.decide(request, read);
    const verdict = isPromise(decided) ? await decided : decided;
    if (verdict === undefined) return handler(request, ...rest);
    if (isRefused(verdict)) return refused(policy, verdict.refusal, request, request);
    return finished(verdict.passed, [request], request, rest[0], respond);
  };
}

/** The decision of `fetchUpgrade`. */
export type UpgradeDecision =
  | {
      /** The request may be upgraded. */
      readonly allowed: true;
      /**
       * Gives back the depth that the request holds, and applies `count` and `finalCost`. Further calls do nothing.
       * `status` is the status that the request was answered with: 101 by default.
       */
      end(status?: number): void;
    }
  | {
      /** The request must not be upgraded. */
      readonly allowed: false;
      /** The answer to send in place of an upgrade. */
      readonly response: Response;
    };

/**
 * Limits requests that the server itself upgrades to websockets, such as `server.upgrade(request)` of Bun. Sluice
 * cannot see when such a websocket ends: the program calls `end()` of the decision when the websocket is closed, or
 * when none was opened. Until then the request holds its depth. Takes the options of `fetchLimit`.
 *
 * @param options The options of `fetchLimit`.
 * @returns The function that decides about a request.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 * @example
 * const limited = fetchUpgrade({ limiter, key: { header: 'x-api-key' } });
 * Bun.serve({
 *   async fetch(request, server) {
 *     const decision = await limited(request);
 *     if (!decision.allowed) return decision.response;
 *     if (!server.upgrade(request, { data: { end: decision.end } })) decision.end(400);
 *   },
 *   websocket: { close: (socket) => socket.data.end() },
 * });
 */
export function fetchUpgrade<Own extends Request = Request>(
  options?: FetchLimitOptions<Own>,
): (request: Own) => Promise<UpgradeDecision> {
  const policy = new Policy<Own>('fetchUpgrade', options);
  return async (request) => {
    const own = { rateLimits: () => rateLimitsOf(request), response: () => undefined };
    const decided = policy.decide(request, reader(request, [request], undefined, own));
    const verdict = isPromise(decided) ? await decided : decided;
    if (verdict !== undefined && isRefused(verdict)) {
      return { allowed: false, response: await refused(policy, verdict.refusal, request, request) };
    }
    return { allowed: true, end: (status = 101) => verdict?.passed.end?.(status) };
  };
}

/**
 * Hono middleware that behaves as `fetchLimit`. Functions among the options get Hono's context. An application with its
 * own types for variables and bindings names them: `honoLimit<Context<Env>>`.
 *
 * @param options The options of `fetchLimit`.
 * @returns The middleware.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 * @example
 * new Hono().use(honoLimit({ limiter, key: { header: 'x-api-key' } }));
 */
export function honoLimit<Context extends HonoContext = Installed<InstalledContext, HonoContext>>(
  options?: HonoLimitOptions<Context>,
): (context: Context, next: () => Promise<void>) => Promise<Response | undefined> {
  const policy = new Policy<Context>('honoLimit', options);
  return async (context, next) => {
    const request = context.req.raw;
    // Both objects, because some middlewares replace `raw` by another Request.
    const identities = [context.req, request];
    const read = reader(request, identities, context.env, {
      rateLimits: () => rateLimitsIn(context),
      response: () => context,
    });
    const decided = policy.decide(context, read);
    const verdict = isPromise(decided) ? await decided : decided;
    if (verdict === undefined) {
      await next();
      return undefined;
    }
    if (isRefused(verdict)) {
      const { status, headers } = verdict.refusal;
      if (policy.refuse !== undefined) {
        context.status(status as never);
        for (const [name, value] of Object.entries(headers)) context.header(name, value);
      }
      return refused(policy, verdict.refusal, request, context);
    }
    const respond = async () => {
      await next();
      return context.res;
    };
    const response = await finished(verdict.passed, identities, context.req.raw, context.env, respond);
    if (response === context.res) return undefined;
    // Hono merges the headers of a replaced response into the new one. Clearing it first prevents that.
    (context as { res: Response | undefined }).res = undefined;
    context.res = response;
    return undefined;
  };
}

function reader(
  request: Request,
  identities: readonly object[],
  env: unknown,
  own: Pick<Reader, 'rateLimits' | 'response'>,
): Reader {
  return {
    identities,
    present: () => undefined,
    rateLimits: own.rateLimits,
    response: own.response,
    address: () => '',
    header: (name) => request.headers.get(name) ?? '',
    hasLeft: () => {
      const outgoing = outgoingOf(env);
      return outgoing === undefined ? isAborted(request, env) : hasLeft(outgoing);
    },
    isGone: () => {
      const outgoing = outgoingOf(env);
      return outgoing === undefined ? isAborted(request, env) : hasGone(outgoing);
    },
    whenGone: (gone) => {
      const outgoing = outgoingOf(env);
      if (outgoing !== undefined) return whenGone(outgoing, gone);
      const socket = upgradeOf(env)?.socket;
      if (socket !== undefined) {
        socket.once('close', gone);
        return () => socket.off('close', gone);
      }
      const { signal } = request;
      signal.addEventListener('abort', gone);
      return () => signal.removeEventListener('abort', gone);
    },
  };
}

/** Without a response of Node.js: whether the client has left. The signal of an upgrade's request does not tell. */
function isAborted(request: Request, env: unknown): boolean {
  return request.signal.aborted || upgradeOf(env)?.socket.destroyed === true;
}

async function refused<Subject>(
  policy: Policy<Subject>,
  { status, headers, body, contentType, info }: Refusal,
  { method }: Request,
  subject: Subject,
): Promise<Response> {
  if (policy.refuse !== undefined && info !== undefined) {
    let own: unknown;
    try {
      own = await policy.refuse(info, subject);
    } catch (error) {
      throw errorOf(policy.where, error);
    }
    if (own !== undefined) {
      const response = checkedResponse(`${policy.where}: refuse`, own);
      return withEach(response, Object.entries(headers), (set, name) => !set.has(name));
    }
  }
  const fields = { ...headers, 'Content-Type': contentType };
  return new Response(method === 'HEAD' ? null : body, bare({ status, headers: fields }));
}
