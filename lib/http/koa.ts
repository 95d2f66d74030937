import type { IncomingMessage, ServerResponse } from 'node:http';
import { decideFor } from './index.js';
import { isRefused, type LimitOptions, Policy } from './policy.js';
import { presentIn } from './present.js';
import { rateLimitsOn } from './rate-limits.js';
import { onResponseEnd } from './response-end.js';

export type { LimitOptions } from './policy.js';
export type { RateLimit } from './rate-limits.js';

/** What is used of a Koa context. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The client's address, by the application's `proxy`. */
  readonly ip?: string;
  /** Has the list `rateLimit` for further middlewares. */
  readonly state: object;
  status: number;
  body: unknown;
  set(name: string, value: string): void;
  onerror?(error: Error | null | undefined): void;
}

/**
 * Koa middleware: as `limit` of sluice/http. Functions among the options get the context; what they throw is thrown.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 */
export function koaLimit<Context extends KoaContext>(
  options?: LimitOptions<Context>,
): (context: Context, next: () => Promise<unknown>) => Promise<void> {
  const policy = new Policy<Context>('koaLimit', options, 'address');
  return async (context, next) => {
    const present = presentIn(context.res);
    const verdict = decideFor(policy, context, context.req, present, {
      address: () => context.ip,
      rateLimits: () => rateLimitsOn(context.state),
    });
    if (verdict !== undefined) {
      const headers = isRefused(verdict) ? verdict.refusal.headers : verdict.passed.headers(present);
      if (isRefused(verdict)) {
        context.status = verdict.refusal.status;
        context.body = verdict.refusal.body;
      }
      for (const [name, value] of Object.entries(headers)) context.set(name, value);
      if (isRefused(verdict)) return;
      keepOnError(context, Object.keys(headers));
      const { end } = verdict.passed;
      if (end !== undefined) onResponseEnd(context.res, end);
    }
    await next();
  };
}

/**
 * Koa answers an error without the fields that were set before. Those of the limit are set again when the head of that
 * answer is written, as they are now: not every error takes `headers`, and some are thrown for several requests.
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
