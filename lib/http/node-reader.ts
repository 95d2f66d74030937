import { keyOfAddress } from './address.js';
import { clientAddress, tellNoAddress } from './client-address.js';
import type { HttpRequest, HttpResponse } from './messages.js';
import type { Policy } from './policy.js';
import type { Present } from './present.js';
import type { RateLimit } from './rate-limits.js';
import type { Reader } from './reader.js';
import { isStreamClosed, onResponseEnd, socketOf } from './response-end.js';

/**
 * The parts of a request that each framework on node:http provides in its own way. `Request` is the framework's type.
 */
export interface Own<Request> {
  /** The client's address as the framework finds it. */
  address(request: Request): string | undefined;
  /** Returns the list of decisions that the handlers of a request read. */
  rateLimits(request: Request): RateLimit[];
}

/** A request of node:http and its response. */
export interface Exchange<Request> {
  /** The framework's own request object. */
  readonly request: Request;
  readonly raw: HttpRequest;
  /** The framework's own response object. */
  readonly response: unknown;
  readonly rawResponse: HttpResponse;
  readonly present: Present;
}

/** Reads requests of node:http. It is a class so that a request does not allocate these functions again. */
export class NodeReader<Request> implements Reader {
  readonly identities: readonly object[];
  readonly present: Present;
  readonly #policy: Policy<Request>;
  readonly #exchange: Exchange<Request>;
  readonly #own: Own<Request>;

  constructor(policy: Policy<Request>, exchange: Exchange<Request>, own: Own<Request>) {
    this.identities = [exchange.raw];
    this.present = exchange.present;
    this.#policy = policy;
    this.#exchange = exchange;
    this.#own = own;
  }

  address(): string {
    const { request, raw } = this.#exchange;
    const { where, trustedProxies, ipv6Prefix } = this.#policy;
    const address = clientAddress(raw, trustedProxies, () => this.#own.address(request));
    if (address === '') tellNoAddress(where, raw);
    return keyOfAddress(address, ipv6Prefix);
  }

  header(name: string): string {
    const value = this.#exchange.raw.headers[name];
    return Array.isArray(value) ? value.join(', ') : (value ?? '');
  }

  rateLimits(): RateLimit[] {
    return this.#own.rateLimits(this.#exchange.request);
  }

  response(): unknown {
    return this.#exchange.response;
  }

  hasLeft(): boolean {
    return hasLeft(this.#exchange.rawResponse);
  }

  isGone(): boolean {
    return hasGone(this.#exchange.rawResponse);
  }

  whenGone(gone: () => void): () => void {
    return whenGone(this.#exchange.rawResponse, gone);
  }
}

/** Whether the request can no longer be answered: the client has disconnected, or the response has begun. */
export function hasGone(response: HttpResponse): boolean {
  return response.headersSent || response.writableEnded || hasLeft(response);
}

/** As `Reader.hasLeft`. */
export function hasLeft(response: HttpResponse): boolean {
  return response.destroyed || socketOf(response).destroyed || isStreamClosed(response);
}

/** As `Reader.whenGone`. */
export function whenGone(response: HttpResponse, gone: () => void): () => void {
  let waits = true;
  onResponseEnd(response, () => {
    if (waits) gone();
  });
  return () => {
    waits = false;
  };
}
