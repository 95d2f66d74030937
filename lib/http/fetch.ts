import { ServerResponse } from 'node:http';
import { optionError } from '../errors.js';
import { isRefused, type LimitOptions, type Passed, Policy } from './policy.js';
import { onResponseEnd } from './response-end.js';

export type { LimitOptions } from './policy.js';

/** What is used of a Hono context. */
export interface HonoContext {
  readonly req: { readonly raw: Request };
  readonly env?: unknown;
  res: Response;
}

/**
 * Limits a handler of `Request` to `Response`. There is no socket: a limiter with keys needs the option `key`. What
 * the depth tier holds is given back once: when the body of the response has been read, cancelled or has failed, when
 * the handler throws, or when the request's signal aborts; or, if the handler's second argument has the response of
 * node:http as `outgoing` (as @hono/node-server gives it), when that has ended in whatever way.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 */
export function fetchLimit<Rest extends unknown[]>(
  handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  options?: Omit<LimitOptions<Request>, 'trustedProxies' | 'ipv6Prefix'>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  if (typeof handler !== 'function') throw optionError('fetchLimit: handler', 'a function', handler, true);
  const policy = new Policy<Request>('fetchLimit', options);
  return async (request, ...rest) => {
    const outcome = decideFor(policy, request, request, [request]);
    if (outcome === undefined) return handler(request, ...rest);
    if (outcome instanceof Response) return outcome;
    return finished(outcome, request, rest[0], async () => handler(request, ...rest));
  };
}

/** Hono middleware: as `fetchLimit`; functions among the options get Hono's context. */
export function honoLimit<Context extends HonoContext>(
  options?: Omit<LimitOptions<Context>, 'trustedProxies' | 'ipv6Prefix'>,
): (context: Context, next: () => Promise<void>) => Promise<Response | undefined> {
  const policy = new Policy<Context>('honoLimit', options);
  return async (context, next) => {
    // Both: some middlewares put another Request in the place of `raw`.
    const outcome = decideFor(policy, context, context.req.raw, [context.req, context.req.raw]);
    if (outcome instanceof Response) return outcome;
    if (outcome === undefined) {
      await next();
      return undefined;
    }
    const response = await finished(outcome, context.req.raw, context.env, async () => {
      await next();
      return context.res;
    });
    // Hono merges the headers of a response that is replaced into the new one: it is to have none.
    (context as { res: Response | undefined }).res = undefined;
    context.res = response;
    return undefined;
  };
}

function decideFor<T>(
  policy: Policy<T>,
  subject: T,
  request: Request,
  identities: readonly object[],
): Passed | Response | undefined {
  const verdict = policy.decide(subject, {
    identities,
    present: () => undefined,
    address: () => '',
    header: (name) => request.headers.get(name) ?? '',
  });
  if (verdict === undefined) return undefined;
  if (!isRefused(verdict)) return verdict.passed;
  const { status, headers, body } = verdict.refusal;
  return new Response(request.method === 'HEAD' ? null : body, { status, headers });
}

/** The response with the fields of the limit; tells `passed` when it has ended. */
async function finished(
  passed: Passed,
  request: Request,
  env: unknown,
  respond: () => Promise<Response>,
): Promise<Response> {
  const outgoing = (env as { readonly outgoing?: unknown } | null | undefined)?.outgoing;
  if (!(outgoing instanceof ServerResponse)) return finishedWithItsBody(passed, request, respond);
  // Known better than from the request's signal: that is silent about requests further back in a pipeline.
  onResponseEnd(outgoing, () => passed.end(outgoing.writableFinished ? outgoing.statusCode : 499));
  const response = checkedResponse(await respond());
  return withFields(response, response.body, passed);
}

async function finishedWithItsBody(
  passed: Passed,
  { signal, method }: Request,
  respond: () => Promise<Response>,
): Promise<Response> {
  // Where the client is gone, servers abort the request and may neither read the body nor cancel it.
  const gone = (): void => end(499);
  const end = (status: number): void => {
    signal.removeEventListener('abort', gone);
    passed.end(status);
  };
  signal.addEventListener('abort', gone);
  if (signal.aborted) gone();
  const limited = (response: Response): Response => {
    const { status } = response;
    // Of the answer to a HEAD request nobody reads the body.
    if (response.body === null || method === 'HEAD') {
      end(status === 0 ? 500 : status);
      return withFields(response, response.body, passed);
    }
    const reader = response.body.getReader();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          end(status);
          controller.close();
        } catch (error) {
          end(500);
          controller.error(error);
        }
      },
      cancel(reason) {
        end(499);
        return reader.cancel(reason);
      },
    });
    return withFields(response, body, passed);
  };
  try {
    return limited(checkedResponse(await respond()));
  } catch (error) {
    end(500); // also where the handler answered with what is no response, or one whose body is used
    throw error;
  }
}

/** The response with `body` and the fields of the limit. */
function withFields(
  response: Response,
  body: ConstructorParameters<typeof Response>[0],
  passed: Passed,
): Response {
  if (response.type === 'error') return response; // no status, and no fields
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  const fields = passed.headers((name) => headers.get(name) ?? undefined);
  for (const [name, value] of Object.entries(fields)) headers.set(name, value);
  return new Response(body, { status, statusText, headers });
}

/** Not by instanceof: there is more than one class of responses. */
function checkedResponse(response: unknown): Response {
  if (typeof response === 'object' && response !== null && 'headers' in response) return response as Response;
  throw optionError('fetchLimit: handler', 'a function that returns a Response', response, true);
}
