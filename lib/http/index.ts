import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { keyOfAddress } from './address.js';
import { clientAddress, expressAddress, tellNoAddress } from './client-address.js';
import { isRefused, type LimitOptions, Policy, type Verdict } from './policy.js';
import { type Present, presentIn } from './present.js';
import { type RateLimit, rateLimitsOn } from './rate-limits.js';
import { onResponseEnd } from './response-end.js';

export { type AddressKeyOptions, addressKey } from './address.js';
export type { HeadersForm } from './fields.js';
export type { LimitOptions } from './policy.js';
export type { RateLimit } from './rate-limits.js';

/** Middleware of node:http, Connect and Express. */
export type LimitMiddleware<Request extends IncomingMessage = IncomingMessage> = (
  request: Request,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Middleware that limits requests: `(request, response, next)`, for Connect and Express (4 and 5), and for node:http
 * with the application as `next`. A refusal is answered with 429 (or as `overloadStatus` says); otherwise `next` is
 * called, and what the depth tier holds is given back once, when the response has ended in whatever way. What
 * `skip`, `cost` or `key` throws goes to `next`. A request whose response has begun already is let through.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option.
 */
export function limit<Request extends IncomingMessage = IncomingMessage>(
  options?: LimitOptions<Request>,
): LimitMiddleware<Request> {
  const policy = new Policy<Request>('limit', options, 'address');
  return (request, response, next) => {
    if (response.headersSent) return next();
    const present = presentIn(response);
    let verdict: Verdict | undefined;
    try {
      verdict = decideFor(policy, request, request, present, {
        address: () => expressAddress(request),
        rateLimits: () => rateLimitsOn(request),
      });
    } catch (error) {
      return next(error);
    }
    if (verdict === undefined) return next();
    if (isRefused(verdict)) {
      const { status, headers, body } = verdict.refusal;
      response.statusCode = status;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.setHeader('Content-Length', Buffer.byteLength(body));
      response.end(body);
      return;
    }
    const { headers, end } = verdict.passed;
    for (const [name, value] of Object.entries(headers(present))) response.setHeader(name, value);
    if (end !== undefined) onResponseEnd(response, end);
    next();
  };
}

/**
 * What a framework has of its own: what it takes for its client's address, and the list that its handlers find.
 *
 * @internal
 */
export interface OwnReader {
  readonly address: () => string | undefined;
  readonly rateLimits: () => RateLimit[];
}

/** @internal Decides about a request of node:http; `request` is what the framework calls it. */
export function decideFor<Request>(
  policy: Policy<Request>,
  request: Request,
  raw: IncomingMessage,
  present: Present,
  own: OwnReader,
): Verdict | undefined {
  return policy.decide(request, {
    identities: [raw],
    present,
    rateLimits: own.rateLimits,
    address: () => {
      const address = clientAddress(raw, policy.trustedProxies, own.address);
      if (address === '') tellNoAddress(policy.where, raw);
      return keyOfAddress(address, policy.ipv6Prefix);
    },
    header: (name) => {
      const value = raw.headers[name];
      return Array.isArray(value) ? value.join(', ') : (value ?? '');
    },
  });
}
