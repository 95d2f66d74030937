/**
 * Middleware that limits requests and upgrades, for node:http, Connect and Express.
 *
 * @module sluice/http
 */
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
  // The type of Express's requests extends this interface.
  namespace Express {
    interface Request {
      /** The decisions of sluice/http's limiters about this request, in their order. */
      rateLimit?: RateLimit[];
    }
  }
}

type Next = (error?: unknown) => void;

/** The type of the response to a request: Express's requests have it as the type of `res`. */
export type ResponseTo<Request> = 'res' extends keyof Request
  ? NonNullable<Request['res']>
  : Request extends Http2ServerRequest
    ? Http2ServerResponse
    : ServerResponse;

/** The options of `limit`. */
export interface LimitOptions<Request extends HttpRequest = IncomingMessage>
  extends CommonOptions<Request, ResponseTo<Request>> {
  /**
   * Answers a refusal in place of `{"error":"rate limited"}`, at once or later, or calls `next(error)`, or throws an
   * error, which goes to `next`. The response already has the status and the fields of the limit (`info.headers`), but
   * no content type. `next()` lets the request through without a charge. If the request is neither answered nor passed
   * on after ten seconds, the default answer is sent.
   *
   * @example
   * app.use(limit({ limiter, refuse: (info, request, response) => response.render('slow-down', info) }));
   */
  readonly refuse?:
    | ((info: RefusalInfo, request: Request, response: ResponseTo<Request>, next: Next) => unknown)
    | undefined;
}

/**
 * Middleware of node:http, Connect and Express. The response's type has `req`, because Express declares the request's
 * type there: so TypeScript infers `Request` in `app.get('/:id', limit({ key: (request) => request.ip }))`.
 */
export type LimitMiddleware<Request extends HttpRequest = IncomingMessage> = (
  request: Handed<Request>,
  response: HttpResponse & { readonly req?: Request | HttpRequest },
  next: Next,
) => void;
/**
 * Leaves out the type of `params` of Express's requests, so that the path decides which parameters the handlers after a
 * limit have.
 */
type Handed<Request> = Request extends { readonly app: infer App }
  ? HttpRequest & { readonly app: App }
  : Request;

const own: Own<HttpRequest> = { address: expressAddress, rateLimits: rateLimitsOn };

/**
 * Middleware that limits requests: `(request, response, next)`, for Connect and Express (4 and 5), and for node:http
 * with the application as `next`. A refusal is answered with 429, or with 413 if the cost exceeds a limit, unless
 * `overloadStatus`, `oversizedStatus` or `refuse` define another answer. Otherwise `next` is called, and the depth that
 * the request holds is given back once, when the response has ended in any way. If `skip`, `limiter`, `key`, `cost` or
 * `refuse` throws, the error goes to `next`. A request whose response has already begun goes to `next` without a
 * decision.
 *
 * @param options The limiter, the key of a request, and the other options of `LimitOptions`.
 * @returns The middleware.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 * @example
 * app.use(limit({ limiter }));
 */
export function limit<Request extends HttpRequest = IncomingMessage>(
  options?: LimitOptions<Request>,
): LimitMiddleware<Request> {
  return middleware('limit', options) as LimitMiddleware<Request>;
}

/**
 * Limits upgrades: `(request, socket, head, next)`, for the event 'upgrade' (and 'connect') of a server of node:http or
 * node:https, before a websocket server gets them. Takes the options of `limit`. With the same limiter, a client's
 * requests and websockets share one limit. The depth that an upgrade holds is given back when the connection is closed.
 * A refusal is answered on the socket as `limit` answers a request; then the client has a second to close the
 * connection. An upgrade that is allowed goes to `next`.
 *
 * If `skip`, `limiter`, `key`, `cost` or `refuse` throws, the client is answered with 500, and then the error goes to
 * `next`; no handshake can follow on that socket. The connection of an upgrade that is pipelined behind an unanswered
 * request is destroyed.
 *
 * @param options The options of `limit`.
 * @returns The middleware for upgrades.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 * @example
 * const limited = limitUpgrade({ limiter });
 * server.on('upgrade', (request, socket, head) => {
 *   limited(request, socket, head, () => {
 *     wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
 *   });
 * });
 */
export function limitUpgrade<Request extends IncomingMessage = IncomingMessage>(
  options?: LimitOptions<Request>,
): UpgradeMiddleware<Request> {
  return upgradesBy(middleware('limitUpgrade', options));
}

/**
 * As `limitUpgrade`, for the option `verifyClient` of a `WebSocketServer` of ws that handles a server's upgrades by
 * itself. An error that `skip`, `limiter`, `key`, `cost` or `refuse` throws becomes a process warning.
 *
 * @param options The options of `limit`.
 * @returns The function for the option `verifyClient`.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 * @example
 * const wss = new WebSocketServer({ server, verifyClient: verifyClient({ limiter }) });
 */
export function verifyClient<Request extends IncomingMessage = IncomingMessage>(
  options?: LimitOptions<Request>,
): (info: { req: Request }, verified: (result: boolean) => void) => void {
  const limited = upgradesBy(middleware<Request>('verifyClient', options));
  // Two parameters: with one, ws would use the function's result as its answer.
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

/** A separate function, so that a request that is decided at once allocates no closure. */
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
  if (response.headersSent) return; // other code answered while the decision was pending
  const { info } = refusal;
  const before = response.statusCode;
  response.statusCode = refusal.status;
  // No client would get the answer, and Node.js 20.19 throws if one is written to a closed HTTP/2 stream.
  if (hasGone(response)) return;
  setFields(response, refusal.headers);
  if (policy.refuse === undefined || info === undefined) return answer(response, refusal);
  let passedOn = false;
  const goOn = (error?: unknown): void => {
    // Express does not treat these as errors.
    const lets = error === undefined || error === null || error === 'route' || error === 'router';
    // A request that was answered, or whose client has disconnected, cannot be let through any more.
    if (passedOn || (lets && hasGone(response))) return;
    passedOn = true;
    if (lets) {
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
