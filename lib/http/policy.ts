import { adviceError, Options, optionError } from '../input/index.js';
import { type Allowed, type Decision, type Denied, type Key, Limiter } from '../limiter/index.js';
import { ipv6PrefixOf } from './address.js';
import { Asking, type AskingOptions, knownOfAsking, type Question } from './asking.js';
import { type Blocker, type BlockOptions, blockOption } from './block.js';
import { type TrustedProxies, trustedProxiesOf } from './client-address.js';
import { markPassed } from './decided.js';
import { type DelayOptions, delayed, delayOption } from './delay.js';
import {
  type HeadersForm,
  headersOption,
  limitFields,
  nameOption,
  refusingNames,
  type Told,
} from './fields.js';
import { Notices } from './notices.js';
import type { Present } from './present.js';
import { isPromise, type MaybePromise } from './promises.js';
import { partitionOf, quotasOf, type Refused, wholeSeconds } from './quotas.js';
import { addRateLimits, type RateLimit } from './rate-limits.js';
import type { Reader } from './reader.js';
import { gone, type Refusal, type RefusalInfo } from './refusal.js';
import { plainBody, problemDetails } from './refusal-body.js';
import { dryRefusal, knownOfSettling, Settling, type SettlingOptions } from './settling.js';
import { errorOf } from './thrown.js';

/**
 * The options of all HTTP adapters of sluice. `Request` and `Response` are the objects that the framework passes to
 * functions among the options. If `skip`, `limiter`, `key` or `cost` throws or rejects, the error goes to the
 * framework's error handling, and nothing is charged. A client that disconnects while a promise is pending is charged
 * nothing, and its request is not handled further.
 */
export interface LimitOptions<Request, Response = never>
  extends AskingOptions<Request>,
    SettlingOptions<Request, Response>,
    DelayOptions,
    BlockOptions {
  /**
   * The trusted proxies in front of this server, which decide how much of X-Forwarded-For is trusted. Either their
   * number (0 to 16), or their addresses and ranges: `['10.0.0.0/8', 'fd00::/8', '192.0.2.7']`, and the names
   * 'loopback' (which includes unix sockets) and 'private' for the usual ranges. With addresses, the client is the
   * first address that is not among them: the peer, then the entries from right to left. At most 32 entries are read;
   * if all of them are trusted, the last one read is the client.
   *
   * Default: the client's address as the framework finds it (`request.ip` of Express by its setting 'trust proxy', of
   * Fastify by `trustProxy`; `context.ip` of Koa by `app.proxy`), or otherwise the peer.
   */
  readonly trustedProxies?: number | readonly string[] | undefined;
  /** IPv6 addresses that share this many leading bits are one key: 32 to 128. Default: 56. */
  readonly ipv6Prefix?: number | undefined;
  /**
   * Called for each refusal before it is answered, also for those that a dry run (`enforce: false`) lets pass
   * (`info.dryRun`). The channel `sluice:http:refused` of node:diagnostics_channel reports the same refusals, as
   * `{ request, info }`, also without this option. An error that the function throws does not change the answer: it
   * goes to the channel `sluice:http:callback-failed` (`{ request, option, error }`), and the first one becomes a
   * process warning (`SLUICE_HTTP_CALLBACK`).
   */
  readonly onRefused?: ((info: RefusalInfo, request: Request) => unknown) | undefined;
  /** The status of a refusal by the depth or the adaptive tier: 429 or 503. Default: 429. */
  readonly overloadStatus?: 429 | 503 | undefined;
  /**
   * The status of a refusal that waiting cannot change, because the cost exceeds the burst, a window's limit or the
   * depth's `max`: 413 or 400. Such a response has no Retry-After. Default: 413.
   */
  readonly oversizedStatus?: 413 | 400 | undefined;
  /** Sends RFC 9457 problem details as the body instead of `{"error":"rate limited"}`. Default: false. */
  readonly problem?: boolean | undefined;
  /**
   * The limiter's name in the header fields: 1 to 64 printable ASCII characters without quotes and backslashes. If the
   * limiter has several tiers, each adds its own name: 'buy-bucket', 'buy-window', 'buy-concurrency'. Default: the
   * tiers' names alone, with a number ('bucket-2') if another limiter has reported such a tier on the same response.
   */
  readonly name?: string | undefined;
  /**
   * The form of the header fields that report the limit, or several forms if no two write the same field differently:
   * see `HeadersForm`. True is 'draft-10'; false sends none. Default: true.
   */
  readonly headers?: boolean | HeadersForm | readonly HeadersForm[] | undefined;
  /** Also sends the form 'legacy': X-RateLimit-Limit, -Remaining and -Reset. Default: false. */
  readonly legacyHeaders?: boolean | undefined;
}

const known = [
  ...knownOfAsking,
  ...knownOfSettling,
  'delay',
  'block',
  'refuse',
  'onRefused',
  'overloadStatus',
  'oversizedStatus',
  'problem',
  'name',
  'headers',
  'legacyHeaders',
];
/** The options of the adapters that know the socket, and so the address. */
const knownOfAddresses = [...known, 'trustedProxies', 'ipv6Prefix'];
export interface Passed {
  /** Returns the fields for a response. `present` reads the fields that it already has. */
  headers(present: Present): Record<string, string>;
  /**
   * Call this with the status when the response has ended; further calls do nothing. Undefined: the end of the response
   * gives nothing back.
   */
  readonly end: ((status: number) => void) | undefined;
}

export type Verdict = { readonly refusal: Refusal } | { readonly passed: Passed };

/** Reads an own property only: a polluted Object.prototype does not matter. */
export function isRefused(verdict: Verdict): verdict is { readonly refusal: Refusal } {
  return Object.hasOwn(verdict, 'refusal');
}

/** The part of limiting that is the same for all frameworks: options, decision, headers and body. */
export class Policy<Request> {
  readonly where: string;
  readonly trustedProxies: TrustedProxies | undefined;
  readonly ipv6Prefix: number;
  readonly refuse: ((info: RefusalInfo, ...rest: unknown[]) => unknown) | undefined;
  readonly #asking: Asking<Request>;
  readonly #settling: Settling<Request>;
  readonly #notices: Notices<Request>;
  readonly #delayMs: number | undefined;
  readonly #blocker: Blocker | undefined;
  readonly #overloadStatus: number;
  readonly #oversizedStatus: number;
  readonly #problem: boolean;
  readonly #name: string | undefined;
  readonly #forms: readonly HeadersForm[];

  constructor(where: string, options: LimitOptions<Request> | undefined, defaultKey?: 'address') {
    this.where = where;
    if (options instanceof Limiter)
      throw adviceError(where, 'an object of options', 'got a Limiter: pass { limiter }');
    const given = new Options(where, options, defaultKey === undefined ? known : knownOfAddresses);
    this.#asking = new Asking(where, given, defaultKey);
    const { limiter, plans } = this.#asking;
    this.#notices = new Notices(where, given);
    this.#settling = new Settling(where, given, plans, this.#notices);
    this.#delayMs = delayOption(given);
    this.#blocker = blockOption(where, given, [limiter, ...plans]);
    this.refuse = given.callback('refuse');
    this.trustedProxies = trustedProxiesOf(where, given);
    this.ipv6Prefix = ipv6PrefixOf(given);
    this.#overloadStatus = oneOf(where, given, 'overloadStatus', [429, 503]);
    this.#oversizedStatus = oneOf(where, given, 'oversizedStatus', [413, 400]);
    this.#problem = given.boolean('problem', false);
    this.#name = nameOption(where, given.get('name'));
    this.#forms = headersOption(where, given.get('headers'), given.boolean('legacyHeaders', false));
  }

  /** The option `limiter` or its default. Routes without their own limiter share it. */
  get limiter(): Asking<Request>['limiter'] {
    return this.#asking.limiter;
  }

  /**
   * Decides about a request. Returns undefined if it is not limited, or if the limiter has already let it through for
   * its key. Returns a promise only if a function among the options returns one, or with `delay`.
   * @throws (or rejects) what a function among the options throws; in place of a thrown value that is not an object, an
   *   Error.
   */
  decide(request: Request, read: Reader): MaybePromise<Verdict | undefined> {
    try {
      const question = this.#asking.ask(request, read);
      if (isPromise(question)) return this.#afterAsking(question, request, read);
      if (question === undefined) return undefined;
      // Middleware before this one may have been at work while the client left.
      return read.hasLeft() ? { refusal: gone } : this.#answer(question, request, read);
    } catch (error) {
      throw errorOf(this.where, error);
    }
  }

  async #afterAsking(
    asked: PromiseLike<Question | undefined>,
    request: Request,
    read: Reader,
  ): Promise<Verdict | undefined> {
    let question: Question | undefined;
    try {
      question = await asked;
    } catch (error) {
      throw errorOf(this.where, error);
    }
    if (question === undefined) return undefined;
    return read.isGone() ? { refusal: gone } : this.#answer(question, request, read);
  }

  #answer(question: Question, request: Request, read: Reader): MaybePromise<Verdict> {
    if (this.#delayMs !== undefined) return this.#afterDelay(this.#delayMs, question, request, read);
    const { limiter, key, cost } = question;
    return this.#verdict(question, limiter.tryAcquire({ key, cost }), request, read);
  }

  async #afterDelay(maxMs: number, question: Question, request: Request, read: Reader): Promise<Verdict> {
    const decision = await delayed(question, maxMs, read);
    return decision === undefined ? { refusal: gone } : this.#verdict(question, decision, request, read);
  }

  #verdict(question: Question, decision: Decision, request: Request, read: Reader): Verdict {
    if (!decision.allowed) return { refusal: this.#refused(question, decision, request, read) };
    try {
      return { passed: this.#passed(question, decision, request, read) };
    } catch (error) {
      decision.refund(); // the request fails, so no end of a response would give the charge back
      throw error;
    }
  }

  #passed(question: Question, decision: Allowed, request: Request, read: Reader): Passed {
    const { limiter, key, cost } = question;
    const told = this.#told(limiter, key);
    const list = read.rateLimits();
    const tier = dryRefusal(decision);
    let names: readonly string[];
    if (tier === undefined) {
      names = addRateLimits(list, told);
    } else {
      const { oversized, retryAfterMs } = limiter.peek({ key, cost });
      const denied: Denied = { allowed: false, tier, window: decision.window, oversized, retryAfterMs };
      const before = list.length;
      const info = this.#info(question, denied, 0, true, read.present, list);
      names = list.slice(before).map(({ name }) => name);
      this.#notices.refused(info, request);
    }
    const end = this.#settling.ender(question, decision, request, read);
    markPassed(read.identities, limiter, key);
    return { headers: (present) => limitFields(this.#forms, { ...told, names }, present), end };
  }

  #refused(question: Question, decision: Denied, request: Request, read: Reader): Refusal {
    const { limiter, key } = question;
    const { plans } = this.#asking;
    const blockedMs = this.#blocker?.refused(plans.length === 0 ? [limiter] : plans, key, decision) ?? 0;
    const info = this.#info(question, decision, blockedMs, false, read.present, read.rateLimits());
    this.#notices.refused(info, request);
    return { ...info, info };
  }

  #info(
    { limiter, key, cost }: Question,
    { tier, window, oversized, retryAfterMs: waitMs }: Denied,
    blockedMs: number,
    dryRun: boolean,
    present: Present,
    list: RateLimit[],
  ): RefusalInfo {
    const retryAfterMs = Math.max(waitMs, blockedMs);
    const seconds = oversized ? undefined : wholeSeconds(Math.min(retryAfterMs, knownMs));
    const overloaded = tier === 'queue-depth' || tier === 'adaptive';
    const status = oversized ? this.#oversizedStatus : overloaded ? this.#overloadStatus : 429;
    let told = this.#told(limiter, key, { tier: blockedMs > 0 ? 'blocked' : tier, window, seconds });
    told = { ...told, names: addRateLimits(list, told) };
    const headers = {
      ...(seconds !== undefined && { 'Retry-After': String(seconds) }),
      ...limitFields(this.#forms, told, present),
    };
    const { body, contentType } = this.#problem
      ? problemDetails(status, tier, oversized, refusingNames(told, present))
      : plainBody(oversized);
    const name = this.#name;
    const asked = { name, limiter, key, cost };
    const refused = { status, tier, window, oversized, retryAfterMs, dryRun, blockedMs };
    return { ...asked, ...refused, headers, body, contentType };
  }

  #partitionOf(key: Key | undefined): string | undefined {
    return key === undefined || this.#forms.length === 0 ? undefined : partitionOf(key);
  }

  #told(limiter: Limiter, key: Key | undefined, refused?: Refused): Told {
    const quotas = quotasOf(limiter, key, refused);
    return { name: this.#name, quotas, partition: this.#partitionOf(key) };
  }
}

/** The longest wait that a limiter reports: 36 years. */
const knownMs = 2 ** 60 / 1e6;

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
