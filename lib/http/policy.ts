import { createHash } from 'node:crypto';
import { optionError } from '../errors.js';
import { type Allowed, fitsKey, type Key, Limiter, type Tier, uncharge } from '../limiter/index.js';
import type { Limits } from '../native/index.js';
import { bare, Options } from '../options.js';
import { ipv6PrefixOf } from './address.js';
import { type TrustedProxies, trustedProxiesOf } from './client-address.js';

/** What all of sluice's HTTP adapters take; `Request` is what the framework hands to a function of one's own. */
export interface LimitOptions<Request> {
  /** Default: a limiter of the middleware's own with the figures of `Limiter.flashSale`, one limit for all. */
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
  /** What a request costs. Default: 1. */
  readonly cost?: number | ((request: Request) => number);
  /** Requests that are not limited. */
  readonly skip?: (request: Request) => boolean;
  /**
   * Which responses stay charged: all, those with a status of 400 and above, or those below. Others are given back
   * (`reward`) when they end. A response that its client does not wait for has failed: so 'successful' is no limit for
   * clients that mean ill. Default: 'all'.
   */
  readonly count?: 'all' | 'failed' | 'successful';
  /** The status of a refusal by the depth or the adaptive tier: 429 or 503. Default: 429. */
  readonly overloadStatus?: 429 | 503;
  /** The body as RFC 9457 problem details instead of `{"error":"rate limited"}`. */
  readonly problem?: boolean;
  /** RateLimit and RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers-10. Default: true. */
  readonly headers?: boolean;
  /** X-RateLimit-Limit, -Remaining and -Reset as well. Default: false. */
  readonly legacyHeaders?: boolean;
}

const known = [
  'limiter',
  'key',
  'cost',
  'skip',
  'count',
  'overloadStatus',
  'problem',
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
  readonly headers: Record<string, string>;
  /** To be called when the response has ended, with its status; once, further calls do nothing. */
  end(status: number): void;
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
  readonly #overloadStatus: number;
  readonly #problem: boolean;
  readonly #headers: boolean;
  readonly #legacy: boolean;

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
    this.#cost = typeof cost === 'function' ? cost : given.integer('cost', 1, 2 ** 32 - 1, 1);
    if (skip !== undefined && typeof skip !== 'function') {
      throw optionError(`${where}: skip`, 'a function', skip, true);
    }
    this.#skip = skip;
    this.#count = oneOf(where, given, 'count', ['all', 'failed', 'successful']);
    this.#overloadStatus = oneOf(where, given, 'overloadStatus', [429, 503]);
    this.#problem = given.boolean('problem', false);
    this.#headers = given.boolean('headers', true);
    this.#legacy = given.boolean('legacyHeaders', false);
  }

  /**
   * Decides about a request: undefined if it is not limited. `read` reads what the key is made of.
   * @throws what `skip`, `cost` or `key` throws.
   */
  decide(request: Request, read: { address(): string; header(name: string): string }): Verdict | undefined {
    if (this.#skips(request)) return undefined;
    const cost = typeof this.#cost === 'function' ? this.#cost(request) : this.#cost;
    const key = this.#limiter.keyed ? this.#keyOf(request, read) : undefined;
    const decision = this.#limiter.tryAcquire({ key, cost });
    const limits = this.#headers || this.#legacy ? this.#limiter.limits() : {};
    const partition = key === undefined ? '' : partitionKey(key);
    if (decision.allowed) {
      return {
        passed: { headers: this.#fields(limits, partition, key), end: this.#ender(decision, cost, key) },
      };
    }
    const seconds = wholeSeconds(decision.retryAfterMs);
    const overloaded = decision.tier === 'queue-depth' || decision.tier === 'adaptive';
    const status = overloaded ? this.#overloadStatus : 429;
    const headers = {
      'Retry-After': String(seconds),
      ...this.#fields(limits, partition, key, { tier: decision.tier, seconds }),
      'Content-Type': this.#problem ? 'application/problem+json' : 'application/json',
    };
    return {
      refusal: { status, headers, body: this.#problem ? problem(status, decision.tier) : plainBody },
    };
  }

  #skips(request: Request): boolean {
    const answer: unknown = this.#skip?.(request) ?? false;
    // A promise would be taken for yes, and nothing be limited.
    if (typeof answer !== 'boolean')
      throw optionError(`${this.where}: skip: its result`, 'true or false', answer, true);
    return answer;
  }

  #keyOf(request: Request, read: { address(): string; header(name: string): string }): Key {
    if (typeof this.#key === 'function') return bounded(this.#key(request) ?? '');
    return bounded(typeof this.#key === 'object' ? read.header(this.#key.header) : read.address());
  }

  #ender(decision: Allowed, cost: number, key: Key | undefined): (status: number) => void {
    let ended = false;
    return (status) => {
      if (ended) return;
      ended = true;
      decision.release();
      const counted = this.#count === 'all' || (this.#count === 'failed') === status >= 400;
      if (!counted) uncharge(this.#limiter, decision, cost, key);
    };
  }

  #fields(
    limits: Limits,
    partition: string,
    key: Key | undefined,
    refusal?: { tier: Tier; seconds: number },
  ): Record<string, string> {
    if (!this.#headers && !this.#legacy) return {};
    const policies = policiesOf(limits);
    const outlook = this.#limiter.peek({ key });
    const name = names[refusal?.tier ?? outlook.tightest] ?? names[outlook.tightest];
    const policy = policies.find((one) => one.name === name) ?? policies[0];
    if (policy === undefined) return {};
    const remaining = refusal === undefined ? outlook.remaining : 0;
    // Some comes back sooner, but a client that spreads what remains over this time stays below the rate: see
    // "Resource exhaustion" in the draft.
    const reset = refusal?.seconds ?? policy.windowSeconds;
    const fields: Record<string, string> = {};
    if (this.#headers) {
      fields['RateLimit-Policy'] = policies
        .map((one) => `"${one.name}";q=${one.quota}${one.rest}${partition}`)
        .join(', ');
      const time = reset === undefined ? '' : `;t=${reset}`;
      fields['RateLimit'] = `"${policy.name}";r=${remaining}${time}${partition}`;
    }
    if (this.#legacy) {
      fields['X-RateLimit-Limit'] = String(policy.quota);
      fields['X-RateLimit-Remaining'] = String(remaining);
      fields['X-RateLimit-Reset'] = String(reset ?? 1);
    }
    return fields;
  }
}

/**
 * For Retry-After: at least a second; an hour where no waiting helps. Less than a microsecond above a whole second is
 * none (a rate such as 1 / 86,400 is not exact in binary): the response is longer on its way.
 */
function wholeSeconds(ms: number): number {
  return ms === Infinity ? 3_600 : Math.max(1, Math.ceil(ms / 1_000 - 1e-6));
}

const plainBody = '{"error":"rate limited"}';
/** The largest integer of a structured field: RFC 9651. */
const integerMax = 999_999_999_999_999;
/** Names of the policies in the header fields. */
const names: Partial<Record<Tier, string>> = {
  'token-bucket': 'bucket',
  'sliding-window': 'window',
  'queue-depth': 'concurrency',
};

interface QuotaPolicy {
  readonly name: string;
  readonly quota: number;
  readonly windowSeconds: number | undefined;
  readonly rest: string;
}

function policiesOf(limits: Limits): QuotaPolicy[] {
  const policies: QuotaPolicy[] = [];
  const timed = (name: string, quota: number, seconds: number): void => {
    const whole = Math.min(integerMax, Math.max(1, Math.ceil(seconds)));
    policies.push({ name, quota, windowSeconds: whole, rest: `;w=${whole}` });
  };
  const { burst, ratePerSecond, limit, windowMs, max } = bare(limits);
  // A bucket gives its burst anew in the time that fills it.
  if (burst !== undefined && ratePerSecond !== undefined) timed('bucket', burst, burst / ratePerSecond);
  if (limit !== undefined && windowMs !== undefined) timed('window', limit, windowMs / 1_000);
  if (max !== undefined) {
    policies.push({
      name: 'concurrency',
      quota: max,
      windowSeconds: undefined,
      rest: ';qu="concurrent-requests"',
    });
  }
  return policies;
}

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

/**
 * The partition key as a structured-fields byte sequence: the first 12 octets of SHA-256 of `type:key`, such as
 * "string:192.0.2.1". A hash, because a key may be a secret.
 */
function partitionKey(key: Key): string {
  const digest = createHash('sha256')
    .update(`${typeof key}:${key}`)
    .digest()
    .subarray(0, 12);
  return `;pk=:${digest.toString('base64')}:`;
}

/** RFC 9457; the types are those that the draft registers. */
function problem(status: number, tier: Tier): string {
  if (tier === 'blocked') return JSON.stringify({ type: 'about:blank', title: 'Too Many Requests', status });
  const reduced = status === 503 || tier === 'adaptive';
  const violated = names[tier];
  return JSON.stringify({
    type: `https://iana.org/assignments/http-problem-types#${reduced ? 'temporary-reduced-capacity' : 'quota-exceeded'}`,
    title: reduced
      ? 'Request cannot be satisfied due to temporary server capacity constraints'
      : 'Request cannot be satisfied as assigned quota has been exceeded',
    status,
    ...(violated !== undefined ? { 'violated-policies': [violated] } : {}),
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
