import type { IncomingMessage, ServerResponse } from 'node:http';
import { decideFor } from './index.js';
import { isRefused, type LimitOptions, Policy } from './policy.js';
import { presentIn } from './present.js';
import { onResponseEnd } from './response-end.js';

export type { LimitOptions } from './policy.js';

/** What is used of a Koa context. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The client's address, by the application's `proxy`. */
  readonly ip?: string;
  status: number;
  body: unknown;
  set(name: string, value: string): void;
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
    const verdict = decideFor(policy, context, context.req, present, () => context.ip);
    if (verdict !== undefined) {
      const headers = isRefused(verdict) ? verdict.refusal.headers : verdict.passed.headers(present);
      if (isRefused(verdict)) {
        context.status = verdict.refusal.status;
        context.body = verdict.refusal.body;
      }
      for (const [name, value] of Object.entries(headers)) context.set(name, value);
      if (isRefused(verdict)) return;
      const { end } = verdict.passed;
      onResponseEnd(context.res, () => end(context.res.writableFinished ? context.res.statusCode : 499));
    }
    await next();
  };
}
