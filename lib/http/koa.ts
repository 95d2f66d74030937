/**
 * Middleware that limits the requests of a Koa application.
 *
 * @module sluice/koa
 */
// biome-ignore lint/suspicious/noTsIgnore: the types of a framework that need not be installed, in the .d.ts too
/** @ts-ignore: only where it is installed */
import type { Context as InstalledContext } from 'koa';
import type { HttpRequest, HttpResponse, Installed } from './messages.js';
import { NodeReader, type Own } from './node-reader.js';
import { isRefused, type LimitOptions, Policy } from './policy.js';
import { presentIn } from './present.js';
import { isPromise } from './promises.js';
import { rateLimitsOn } from './rate-limits.js';
import type { Refusal, RefusalInfo } from './refusal.js';
import { onResponseEnd } from './response-end.js';
import { errorOf } from './thrown.js';

export type { LimitOptions } from './policy.js';
export type { RateLimit } from './rate-limits.js';
export type { RefusalInfo } from './refusal.js';

/** The parts of a Koa context that sluice uses. */
export interface KoaContext {
  /** The request of node:http. */
  readonly req: HttpRequest;
  /** The response of node:http. */
  readonly res: HttpResponse;
  /** The client's address, by the application's setting `proxy`. */
  readonly ip?: string;
  /** The middleware puts the list `rateLimit` here, for later middlewares. */
  readonly state: object;
  /** The status of the answer. */
  status: number;
  /** The body of the answer. */
  body: unknown;
  /** False: the program answers without Koa. */
  readonly respond?: boolean | undefined;
  /** Sets a header field. */
  set(name: string, value: string): void;
  /** Answers an error. */
  onerror?(error: Error | null | undefined): void;
}

/** The options of `koaLimit`. */
export interface KoaLimitOptions<Context extends KoaContext> extends LimitOptions<Context, Context> {
  /**
   * Answers a refusal in place of `{"error":"rate limited"}`: it sets `context.body` (and another status, if it likes),
   * or throws. The context already has the status and the fields of the limit (`info.headers`). If the body is missing
   * and the status unchanged, the default answer is sent.
   *
   * @example
   * koaLimit({ limiter, refuse: (info, context) => context.throw(429, `wait ${info.retryAfterMs} ms`) })
   */
  readonly refuse?: ((info: RefusalInfo, context: Context) => unknown) | undefined;
}

/**
 * Koa middleware that behaves as `limit` of sluice/http. Functions among the options get the context; the middleware
 * throws the errors that they throw. An application with its own type of state names it:
 * `koaLimit<ParameterizedContext<State>>`.
 *
 * @param options The options of `limit`.
 * @returns The middleware.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 * @example
 * new Koa().use(koaLimit({ limiter }));
 */
export function koaLimit<Context extends KoaContext = Installed<InstalledContext, KoaContext>>(
  options?: KoaLimitOptions<Context>,
): (context: Context, next: () => Promise<unknown>) => Promise<void> {
  const policy = new Policy<Context>('koaLimit', options, 'address');
  const own: Own<Context> = { address: ({ ip }) => ip, rateLimits: ({ state }) => rateLimitsOn(state) };
  return async (context, next) => {
    const { req: raw, res: rawResponse } = context;
    const present = presentIn(rawResponse);
    const exchange = { request: context, raw, response: context, rawResponse, present };
    const decided = policy.decide(context, new NodeReader(policy, exchange, own));
    const verdict = isPromise(decided) ? await decided : decided;
    if (verdict !== undefined) {
      if (isRefused(verdict)) return refuse(policy, verdict.refusal, context);
      const { headers, end } = verdict.passed;
      if (end !== undefined) onResponseEnd(rawResponse, end);
      setFields(context, headers(present));
    }
    await next();
  };
}

/** Sets fields that also stay on the answer to an error. */
function setFields(context: KoaContext, fields: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(fields)) context.set(name, value);
  keepOnError(context, Object.keys(fields));
}

async function refuse<Context extends KoaContext>(
  policy: Policy<Context>,
  refusal: Refusal,
  context: Context,
): Promise<void> {
  const { status, headers, body, contentType, info } = refusal;
  if (context.res.headersSent) return; // other code answered while the decision was pending
  context.status = status;
  setFields(context, headers);
  if (policy.refuse !== undefined && info !== undefined) {
    try {
      await policy.refuse(info, context);
    } catch (error) {
      throw errorOf(policy.where, error);
    }
    const untouched = context.status === status && (context.body === undefined || context.body === null);
    if (!untouched || context.respond === false || context.res.headersSent) return;
  }
  context.body = body;
  context.set('Content-Type', contentType);
}

/**
 * Koa removes the fields that were set before it answers an error. This sets the fields of the limit again, with their
 * values at the time of the error, when the head of that answer is written. The error's own `headers` are no
 * alternative: not every error accepts them, and some errors are thrown for several requests.
 */
function keepOnError(context: KoaContext, names: readonly string[]): void {
  const { onerror, res } = context;
  if (onerror === undefined || names.length === 0) return;
  context.onerror = (error) => {
    if (error !== null && error !== undefined && !res.headersSent) {
      const kept = names.map((name) => [name, res.getHeader(name)] as const);
      const { writeHead } = res;
      res.writeHead = (...head: unknown[]) => {
        for (const [name, value] of kept) {
          if (value !== undefined && !res.headersSent && !res.hasHeader(name)) res.setHeader(name, value);
        }
        return Reflect.apply(writeHead, res, head);
      };
    }
    Reflect.apply(onerror, context, [error]);
  };
}
