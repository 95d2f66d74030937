import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { expressAddress } from './client-address.js';
import type { HttpRequest, HttpResponse } from './messages.js';
import { type Exchange, hasGone, NodeReader, type Own } from './node-reader.js';
import { type LimitOptions as CommonOptions, isRefused, Policy, type Verdict } from './policy.js';
import { presentIn } from './present.js';
import { isPromise } from './promises.js';
import { type RateLimit, rateLimitsOn } from './rate-limits.js';
import type { Refusal, RefusalInfo } from './refusal.js';
import { seeAnswered } from './refusing.js';
import { onResponseEnd } from './response-end.js';
import { errorOf } from './thrown.js';
import { type UpgradeMiddleware, upgradesBy } from './upgrade.js';

export { type AddressKeyOptions, addressKey } from './address.js';
export type { HeadersForm } from './fields.js';
export type { HttpRequest, HttpResponse } from './messages.js';
export type { RateLimit } from './rate-limits.js';
export type { RefusalInfo } from './refusal.js';
export type { UpgradeMiddleware } from './upgrade.js';

declare global {
  // @types/express has such declarations in this namespace.
  namespace Express {
    interface Request {
      /** What the limiters of sluice/http have decided about it, in their order. */
      rateLimit?: RateLimit[];
    }
  }
}

type Next = (error?: unknown) => void;

/** The response to a request: Express's requests know of which type theirs is. */
export type ResponseTo<Request> = 'res' extends keyof Request
  ? NonNullable<Request['res']>
  : Request extends Http2ServerRequest
    ? Http2ServerResponse
    : ServerResponse;

/** The options of `limit`. */
export interface LimitOptions<Request extends HttpRequest = IncomingMessage>
  extends CommonOptions<Request, ResponseTo<Request>> {
  /**
   * Answers a refusal in place of `{"error":"rate limited"}`: at once or later, or by `next(error)`, or by what it throws,
   * which goes to `next`. The response has the status and the fields of the limit already (`info.headers`); not the
   * content type. `next()` lets the request through, charged nothing. If the request is neither answered nor passed on
   * after ten seconds, it gets the answer without this option.
   *
   * @example
   * app.use(limit({ limiter, refuse: (info, request, response) => response.render('slow-down', info) }));
   */
  readonly refuse?: (
    info: RefusalInfo,
    request: Request,
    response: ResponseTo<Request>,
    next: Next,
  ) => unknown;
}

/**
 * Middleware of node:http, Connect and Express. The request that a response knows is in its type for TypeScript's sake:
 * in `app.get('/:id', limit({ key: (request) => request.ip }))` that is where Express says which type its requests have.
 */
export type LimitMiddleware<Request extends HttpRequest = IncomingMessage> = (
  request: Handed<Request>,
  response: HttpResponse & { readonly req?: Request | HttpRequest },
  next: Next,
) => void;
/** Of Express's requests not the parameters: the handlers after a limit have them as the path says. */
type Handed<Request> = Request extends { readonly app: infer App }
  ? HttpRequest & { readonly app: App }
  : Request;

const own: Own<HttpRequest> = { address: expressAddress, rateLimits: rateLimitsOn };

/**
 * Middleware that limits requests: `(request, response, next)`, for Connect and Express (4 and 5), and for node:http
 * with the application as `next`. A refusal is answered with 429 (or as `overloadStatus` and `refuse` say); otherwise
 * `next` is called, and what the depth tier holds is given back once, when the response has ended in whatever way. What
 * a function among the options throws goes to `next`. A request whose response has begun already is let through.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 */
export function limit<Request extends HttpRequest = IncomingMessage>(
  options?: LimitOptions<Request>,
): LimitMiddleware<Request> {
  return middleware('limit', options) as LimitMiddleware<Request>;
}

/**
 * Limits upgrades: `(request, socket, head, next)`, for the event 'upgrade' of a server of node:http or node:https (and
 * 'connect'), before a websocket server gets them. Takes the options of `limit`, and with the same limiter a client's
 * requests and websockets are one limit. What the depth tier holds is given back when the connection is closed. A
 * refusal is answered on the socket as `limit` answers a request, and the client has a second to hang up then. `next` is
 * called for what passes.
 *
 * What `skip`, `cost` or `key` throws goes to `next`, when the client has been answered with 500: the socket takes no
 * handshake any more. An upgrade that is pipelined behind a request without an answer is hung up on.
 *
 * @example
 * const limited = limitUpgrade({ limiter });
 * server.on('upgrade', (request, socket, head) => {
 *   limited(request, socket, head, () => {
 *     wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
 *   });
 * });
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 */
export function limitUpgrade<Request extends IncomingMessage = IncomingMessage>(
  options?: LimitOptions<Request>,
): UpgradeMiddleware<Request> {
  return upgradesBy(middleware('limitUpgrade', options));
}

/**
 * As `limitUpgrade`, for the option `verifyClient` of a `WebSocketServer` of ws that handles the upgrades of a server by
 * itself. What `skip`, `cost` or `key` throws is a process warning.
 *
 * @example
 * const wss = new WebSocketServer({ server, verifyClient: verifyClient({ limiter }) });
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 */
export function verifyClient<Request extends IncomingMessage = IncomingMessage>(
  options?: LimitOptions<Request>,
): (info: { req: Request }, verified: (result: boolean) => void) => void {
  const limited = upgradesBy(middleware<Request>('verifyClient', options));
  // Two parameters: ws would take the result of a function with one for its answer.
  return ({ req }, verified) => {
    limited(req, req.socket, none, (error) => {
      if (error === undefined) verified(true);
      else process.emitWarning(error instanceof Error ? error : String(error));
    });
  };
}
const none = new Uint8Array();

function middleware<Request extends HttpRequest>(
  where: string,
  options: LimitOptions<Request> | undefined,
): (request: Request, response: HttpResponse, next: Next) => void {
  const policy = new Policy<Request>(where, options, 'address');
  return (request, response, next) => {
    if (response.headersSent) {
      next();
      return;
    }
    const present = presentIn(response);
    const exchange = { request, raw: request, response, rawResponse: response, present };
    let verdict: ReturnType<Policy<Request>['decide']>;
    try {
      verdict = policy.decide(request, new NodeReader(policy, exchange, own));
    } catch (error) {
      next(error);
      return;
    }
    if (isPromise(verdict)) afterwards(verdict, policy, exchange, next);
    else act(verdict, policy, exchange, next);
  };
}

type NodeExchange<Request> = Exchange<Request> & { readonly response: HttpResponse };

function act<Request extends HttpRequest>(
  verdict: Verdict | undefined,
  policy: Policy<Request>,
  { request, response, present }: NodeExchange<Request>,
  next: Next,
) {
  if (verdict === undefined) return next();
  if (isRefused(verdict)) return refuse(policy, verdict.refusal, request, response, next);
  const { headers, end } = verdict.passed;
  if (end !== undefined) onResponseEnd(response, end);
  setFields(response, headers(present));
  next();
}

/** In a function of its own: a request that is decided at once allocates no closure. */
function afterwards<Request extends HttpRequest>(
  verdict: PromiseLike<Verdict | undefined>,
  policy: Policy<Request>,
  exchange: NodeExchange<Request>,
  next: Next,
): void {
  verdict.then((known) => act(known, policy, exchange, next), next);
}

function setFields(response: HttpResponse, fields: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(fields)) response.setHeader(name, value);
}

function answer(response: HttpResponse, { body, contentType }: Refusal): void {
  response.setHeader('Content-Type', contentType);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}

function refuse<Request extends HttpRequest>(
  policy: Policy<Request>,
  refusal: Refusal,
  request: Request,
  response: HttpResponse,
  next: Next,
) {
  if (response.headersSent) return; // something else has answered while it was decided
  const { info } = refusal;
  const before = response.statusCode;
  response.statusCode = refusal.status;
  setFields(response, refusal.headers);
  if (policy.refuse === undefined || info === undefined) return answer(response, refusal);
  let passedOn = false;
  const goOn = (error?: unknown): void => {
    if (passedOn) return;
    passedOn = true;
    // Express takes these for no errors.
    if (error === undefined || error === null || error === 'route' || error === 'router') {
      response.statusCode = before;
      response.removeHeader('Retry-After');
    }
    next(error);
  };
  let result: unknown;
  try {
    result = policy.refuse(info, request, response, goOn);
  } catch (error) {
    return goOn(errorOf(policy.where, error));
  }
  seeAnswered(result, {
    isAnswered: () => passedOn || hasGone(response),
    answer: () => answer(response, refusal),
    failed: (error) => goOn(errorOf(policy.where, error)),
    onEnd: (ended) => onResponseEnd(response, ended),
  });
}
