import { createHash } from 'node:crypto';
import { optionError } from '../errors.js';
import { type Allowed, fitsKey, holdsDepth, type Key, Limiter, type Tier } from '../limiter/index.js';
import { Options } from '../options.js';
import { ipv6PrefixOf } from './address.js';
import { type TrustedProxies, trustedProxiesOf } from './client-address.js';
import { hasPassed, markPassed } from './decided.js';
import {
  type HeadersForm,
  headersOption,
  limitFields,
  nameOption,
  policyNames,
  type Told,
} from './fields.js';
import { held, holdMsMax } from './held.js';
import type { Present } from './present.js';
import { partitionOf, quotasOf, type Refused, wholeSeconds } from './quotas.js';
import { addRateLimits } from './rate-limits.js';
import type { Reader } from './reader.js';

/** What all of sluice's HTTP adapters take; `Request` is what the framework hands to a function of one's own. */
export interface LimitOptions<Request> {
  /**
   * It decides about a request once for a key: of several middlewares with one limiter (a middleware of the application
   * that is one of a router, too) the first charges, by its options, and the others let the request through.
   * Default: a limiter of the middleware's own with the figures of `Limiter.flashSale`, one limit for all.
   */
  readonly limiter?: Limiter;
  /**
   * Whose limit it is, for a limiter with keys: 'address' (the default where there is a socket), a header's value, or
   * what a function says. Without a value (an absent header, undefined) the key is the empty string; one that is longer
   * than limiters take (see `Key`) is replaced by its SHA-256. A function that returns an address makes its key by
   * `addressKey`: one client can have many IPv6 addresses.
   */
  readonly key?: 'address' | { readonly header: string } | ((request: Request) => Key | undefined);
  /**
   * Which proxies of one's own stand before this server, and so how much of X-Forwarded-For is believed: how many (0 to
   * 16), or their addresses and ranges (`['10.0.0.0/8', 'fd00::/8', '192.0.2.7']`; 'loopback', which includes unix
   * sockets, and 'private' stand for the usual ones). With addresses the client is the first entry from the right, the
   * peer itself before it, that is none of them; of more than 32 entries the 32nd.
   *
   * Default: what the framework takes for the client's address (`request.ip` of Express by its setting 'trust proxy', of
   * Fastify by `trustProxy`; `context.ip` of Koa by `app.proxy`), or the peer.
   */
  readonly trustedProxies?: number | readonly string[];
  /** IPv6 addresses of one network of this many bits are one key: 32 to 128. Default: 56. */
  readonly ipv6Prefix?: number;
  /** What a request costs: 0 charges nothing. Default: 1. */
  readonly cost?: number | ((request: Request) => number);
  /** Requests that are not limited. */
  readonly skip?: (request: Request) => boolean;
  /**
   * Which responses stay charged: all, those with a status of 400 and above, or those below. Others are given back
   * (`refund`, as far as they are still in force) when they end. A response that its client does not wait for has
   * failed: so 'successful' is no limit for clients that mean ill. Default: 'all'.
   */
  readonly count?: 'all' | 'failed' | 'successful';
  /**
   * How long a request holds its place in the limiter's depth at most, in milliseconds: 1 to 2,147,483,647. A request
   * that takes longer goes on, and its place is another's; so a client with idle uploads does not refuse everybody for as
   * long as the server lets it. What `count` gives back waits for the end all the same. Without a depth that holds places
   * it does nothing. Default: until the response has ended.
   */
  readonly holdMs?: number;
  /** The status of a refusal by the depth or the adaptive tier: 429 or 503. Default: 429. */
  readonly overloadStatus?: 429 | 503;
  /**
   * The status of a refusal that no waiting changes, because the cost exceeds the burst, a window's limit or the depth's
   * `max`: 413 or 400. Such a response has no Retry-After. Default: 413.
   */
  readonly oversizedStatus?: 413 | 400;
  /** The body as RFC 9457 problem details instead of `{"error":"rate limited"}`. */
  readonly problem?: boolean;
  /**
   * The limiter's name in the header fields: 1 to 64 printable ASCII characters without quotes and backslashes. Each of
   * several tiers adds its own: 'buy-bucket', 'buy-window', 'buy-concurrency'. Default: the tiers' names alone, with a
   * number ('bucket-2') if another limiter has told of such a tier on the same response.
   */
  readonly name?: string;
  /**
   * The form of the header fields that tell of the limit, or several that write no field differently: see `HeadersForm`.
   * True is 'draft-10', false none. Default: true.
   */
  readonly headers?: boolean | HeadersForm | readonly HeadersForm[];
  /** The form 'legacy' as well: X-RateLimit-Limit, -Remaining and -Reset. Default: false. */
  readonly legacyHeaders?: boolean;
}

const known = [
  'limiter',
  'key',
  'cost',
  'skip',
  'count',
  'holdMs',
  'overloadStatus',
  'oversizedStatus',
  'problem',
  'name',
  'headers',
  'legacyHeaders',
];
/** Where there is a socket with an address. */
const knownOfAddresses = [...known, 'trustedProxies', 'ipv6Prefix'];
/** The name of a header field: RFC 9110, section 5.6.2. */
const token = /^[!#$%&'*+.^_`|~\w-]+$/;

/** A refusal as a response. */
export interface Refusal {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export interface Passed {
  /** The fields for a response that has `present` already. */
  headers(present: Present): Record<string, string>;
  /**
   * To be called when the response has ended, with its status; once, further calls do nothing. Undefined: the end of the
   * response gives nothing back.
   */
  readonly end: ((status: number) => void) | undefined;
}

export type Verdict = { readonly refusal: Refusal } | { readonly passed: Passed };

/** By its own property: a polluted Object.prototype has no say. */
export function isRefused(verdict: Verdict): verdict is { readonly refusal: Refusal } {
  return Object.hasOwn(verdict, 'refusal');
}

/** The part of limiting that knows no framework: options, decision, headers and body. */
export class Policy<Request> {
  readonly where: string;
  readonly trustedProxies: TrustedProxies | undefined;
  readonly ipv6Prefix: number;
  readonly #limiter: Limiter;
  readonly #key: LimitOptions<Request>['key'];
  readonly #cost: number | ((request: Request) => number);
  readonly #skip: ((request: Request) => boolean) | undefined;
  readonly #count: 'all' | 'failed' | 'successful';
  readonly #holdMs: number | undefined;
  readonly #overloadStatus: number;
  readonly #oversizedStatus: number;
  readonly #problem: boolean;
  readonly #name: string | undefined;
  readonly #forms: readonly HeadersForm[];

  constructor(where: string, options: LimitOptions<Request> | undefined, defaultKey?: 'address') {
    this.where = where;
    const given = new Options(where, options, defaultKey === undefined ? known : knownOfAddresses);
    const limiter = given.get('limiter') ?? Limiter.create(Limiter.flashSale);
    if (!(limiter instanceof Limiter)) throw optionError(`${where}: limiter`, 'a Limiter', limiter, true);
    this.#limiter = limiter;
    this.#key = checkedKey(where, given, limiter, defaultKey);
    this.trustedProxies = trustedProxiesOf(where, given);
    this.ipv6Prefix = ipv6PrefixOf(given);
    const { cost, skip } = given.own as LimitOptions<Request>;
    this.#cost = typeof cost === 'function' ? cost : given.integer('cost', 0, 2 ** 32 - 1, 1);
    if (skip !== undefined && typeof skip !== 'function') {
      throw optionError(`${where}: skip`, 'a function', skip, true);
    }
    this.#skip = skip;
    this.#count = oneOf(where, given, 'count', ['all', 'failed', 'successful']);
    this.#holdMs = given.has('holdMs') ? given.number('holdMs', 1, holdMsMax) : undefined;
    this.#overloadStatus = oneOf(where, given, 'overloadStatus', [429, 503]);
    this.#oversizedStatus = oneOf(where, given, 'oversizedStatus', [413, 400]);
    this.#problem = given.boolean('problem', false);
    this.#name = nameOption(where, given.get('name'));
    this.#forms = headersOption(where, given.get('headers'), given.boolean('legacyHeaders', false));
  }

  get limiter(): Limiter {
    return this.#limiter;
  }

  /**
   * Decides about a request: undefined if it is not limited, or if the limiter has let it through for its key already.
   * `read` reads what the key is made of, and what a refusal finds on its response.
   * @throws what `skip`, `cost` or `key` throws.
   */
  decide(request: Request, read: Reader): Verdict | undefined {
    if (this.#skips(request)) return undefined;
    const key = this.#limiter.keyed ? this.#keyOf(request, read) : undefined;
    if (hasPassed(read.identities, this.#limiter, key)) return undefined;
    const cost = typeof this.#cost === 'function' ? this.#cost(request) : this.#cost;
    const decision = this.#limiter.tryAcquire({ key, cost });
    if (decision.allowed) {
      markPassed(read.identities, this.#limiter, key);
      const told = this.#told(key);
      const { wouldRefuse } = decision;
      const list = wouldRefuse === undefined ? told : this.#told(key, { tier: wouldRefuse, seconds: 1 });
      addRateLimits(read.rateLimits(), list);
      return {
        passed: {
          headers: (present) => limitFields(this.#forms, told, present),
          end: this.#ender(decision),
        },
      };
    }
    const { tier, oversized } = decision;
    const seconds = oversized ? undefined : wholeSeconds(Math.min(decision.retryAfterMs, knownMs));
    const overloaded = tier === 'queue-depth' || tier === 'adaptive';
    const status = oversized ? this.#oversizedStatus : overloaded ? this.#overloadStatus : 429;
    const told = this.#told(key, { tier, seconds });
    addRateLimits(read.rateLimits(), told);
    const headers = {
      ...(seconds !== undefined && { 'Retry-After': String(seconds) }),
      ...limitFields(this.#forms, told, read.present),
      'Content-Type': this.#problem ? 'application/problem+json' : 'application/json',
    };
    const plain = oversized ? oversizedBody : plainBody;
    const body = this.#problem ? problem(status, tier, oversized, violated(told, read.present)) : plain;
    return { refusal: { status, headers, body } };
  }

  #skips(request: Request): boolean {
    const answer: unknown = this.#skip?.(request) ?? false;
    // A promise would be taken for yes, and nothing be limited.
    if (typeof answer !== 'boolean')
      throw optionError(`${this.where}: skip: its result`, 'true or false', answer, true);
    return answer;
  }

  #keyOf(request: Request, read: Reader): Key {
    if (typeof this.#key === 'function') return bounded(this.#key(request) ?? '');
    return bounded(typeof this.#key === 'object' ? read.header(this.#key.header) : read.address());
  }

  #ender(decision: Allowed): ((status: number) => void) | undefined {
    const holds = holdsDepth(this.#limiter);
    if (this.#count === 'all' && !holds) return undefined;
    const end = held(decision, holds ? this.#holdMs : undefined);
    return (status) => end(this.#count !== 'all' && (this.#count === 'failed') !== status >= 400);
  }

  #partitionOf(key: Key | undefined): string | undefined {
    return key === undefined || this.#forms.length === 0 ? undefined : partitionOf(key);
  }

  #told(key: Key | undefined, refused?: Refused): Told {
    const quotas = quotasOf(this.#limiter, key, refused);
    return { name: this.#name, quotas, partition: this.#partitionOf(key) };
  }
}

const plainBody = '{"error":"rate limited"}';
const oversizedBody = '{"error":"costs more than its limit"}';
/** A limiter knows no longer waits: 36 years. */
const knownMs = 2 ** 60 / 1e6;
/**
 * In place of a key that is longer than limiters take, its SHA-256 as a bigint: as different as the keys, and different
 * from every text that a client can send.
 */
function bounded(key: Key): Key {
  if (fitsKey(key)) return key; // or none at all, about which the limiter complains
  const text = typeof key === 'string' ? key : `${key < 0 ? '-' : '+'}${key.toString(16)}`;
  const digest = createHash('sha256')
    .update(`${typeof key}:`)
    .update(text, 'utf16le')
    .digest('hex');
  return BigInt(`0x${digest}`);
}

/** The names of the quotas that refused. */
function violated(told: Told, present: Present): string[] {
  return policyNames(told, present).filter((_, i) => told.quotas[i]?.refused === true);
}

/** RFC 9457; the types are those that the draft registers. */
function problem(status: number, tier: Tier, oversized: boolean, policies: readonly string[]): string {
  if (oversized) {
    const title = status === 413 ? 'Content Too Large' : 'Bad Request';
    const detail = 'The request costs more than its limit allows at any time';
    return JSON.stringify({ type: 'about:blank', title, status, detail, 'violated-policies': policies });
  }
  if (tier === 'blocked') return JSON.stringify({ type: 'about:blank', title: 'Too Many Requests', status });
  const reduced = status === 503 || tier === 'adaptive';
  return JSON.stringify({
    type: `https://iana.org/assignments/http-problem-types#${reduced ? 'temporary-reduced-capacity' : 'quota-exceeded'}`,
    title: reduced
      ? 'Request cannot be satisfied due to temporary server capacity constraints'
      : 'Request cannot be satisfied as assigned quota has been exceeded',
    status,
    ...(tier !== 'adaptive' ? { 'violated-policies': policies } : {}),
  });
}

function checkedKey<Request>(
  where: string,
  given: Options,
  limiter: Limiter,
  fallback: 'address' | undefined,
): LimitOptions<Request>['key'] {
  const key = given.get('key');
  if (key !== undefined && !limiter.keyed) {
    throw optionError(`${where}: key`, 'undefined (the limiter has no keys)', key, true);
  }
  if (key === undefined && (fallback !== undefined || !limiter.keyed)) return fallback;
  if (typeof key === 'function') return key as (request: Request) => Key | undefined;
  if (key === 'address' && fallback !== undefined) return key;
  const header =
    key !== 'address' && typeof key === 'object' ? given.nested('key', ['header'])?.get('header') : undefined;
  if (typeof header === 'string' && token.test(header)) return { header: header.toLowerCase() };
  const expected = `${fallback === undefined ? '' : "'address', "}{ header } or a function`;
  throw optionError(`${where}: key`, expected, key, true);
}

function oneOf<T extends string | number>(
  where: string,
  given: Options,
  name: string,
  values: readonly [T, ...T[]],
): T {
  const value = given.get(name);
  if (value === undefined) return values[0];
  const found = values.find((one) => one === value);
  if (found !== undefined) return found;
  throw optionError(`${where}: ${name}`, values.join(' or '), value, typeof value !== typeof values[0]);
}
