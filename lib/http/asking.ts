import { createHash } from 'node:crypto';
import { copiedList, type Options, optionError } from '../input/index.js';
import { costMax, fitsKey, type Key, Limiter } from '../limiter/index.js';
import { hasPassed } from './decided.js';
import { isPromise, type MaybePromise } from './promises.js';
import type { Reader } from './reader.js';

/** The limiter that decides about a request, and the key and cost of the request. */
export interface Question {
  readonly limiter: Limiter;
  readonly key: Key | undefined;
  readonly cost: number;
}

/** The options that are evaluated for each request: which limiter, which key, which cost. */
export interface AskingOptions<Request> {
  /**
   * The limiter that decides. It decides once for a request and key: if several middlewares have the same limiter (one
   * of the application and one of a router, say), the first charges, by its own options, and the others let the request
   * through. Default: a new limiter for this middleware with the figures of `Limiter.flashSale`, one limit for all
   * clients.
   *
   * A function chooses a limiter for each request: by plan, say. If it returns undefined, the request is not limited.
   * Each limiter counts separately, unless they are `plans`.
   *
   * @example
   * limit({ limiter: (request) => (request.user?.plan === 'pro' ? pro : free), plans: [free, pro], key })
   */
  readonly limiter?: (Limiter | ((request: Request) => MaybePromise<Limiter | undefined>)) | undefined;
  /**
   * The limiters among which `limiter`, a function, chooses: 2 to 16, all with keys or all without. A request that one
   * of them allows is also charged to each of the others that has room for it; the others refuse nothing. So a key that
   * changes its plan does not begin with an unused limit. A charge that is given back after the response is given back
   * to all limiters that were charged.
   */
  readonly plans?: readonly Limiter[] | undefined;
  /**
   * The key of a request, for a limiter with keys: 'address' (the default where there is a socket), a header's value,
   * or the result of a function. Without a value (an absent header, undefined) the key is the empty string. A key
   * longer than limiters take (see `Key`) is replaced by its SHA-256. A function that returns an address should pass it
   * through `addressKey`, because one client can have many IPv6 addresses.
   */
  readonly key?:
    | (
        | 'address'
        | {
            /** The name of a header. */
            readonly header: string;
          }
        | ((request: Request) => MaybePromise<Key | undefined>)
      )
    | undefined;
  /** The cost of a request: 0 charges nothing. Default: 1. */
  readonly cost?: (number | ((request: Request) => MaybePromise<number>)) | undefined;
  /** Returns true for requests that are not limited. */
  readonly skip?: ((request: Request) => MaybePromise<boolean>) | undefined;
}

export const knownOfAsking: readonly string[] = ['limiter', 'plans', 'key', 'cost', 'skip'];
/** The name of a header field: RFC 9110, section 5.6.2. */
const token = /^[!#$%&'*+.^_`|~\w-]+$/;
const plansMax = 16;

/**
 * Evaluates the options for a request, in the order skip, limiter, key, cost. While no function returns a promise, all
 * of it happens synchronously and no promise is created.
 */
export class Asking<Request> {
  readonly limiter: Limiter | ((request: Request) => MaybePromise<Limiter | undefined>);
  readonly plans: readonly Limiter[];
  readonly #where: string;
  readonly #key: AskingOptions<Request>['key'];
  readonly #cost: number | ((request: Request) => MaybePromise<number>);
  readonly #skip: ((request: Request) => MaybePromise<boolean>) | undefined;

  constructor(where: string, given: Options, defaultKey: 'address' | undefined) {
    this.#where = where;
    const { limiter = Limiter.create(Limiter.flashSale), cost } = given.own as AskingOptions<Request>;
    if (typeof limiter !== 'function' && !(limiter instanceof Limiter)) {
      throw optionError(`${where}: limiter`, 'a Limiter, or a function that returns one', limiter, true);
    }
    this.limiter = limiter;
    this.plans = checkedPlans(where, given.get('plans'), limiter);
    this.#key = checkedKey(where, given, limiter, defaultKey);
    this.#cost = typeof cost === 'function' ? cost : given.integer('cost', 0, costMax, 1);
    this.#skip = given.callback('skip');
  }

  /**
   * Returns the question for a limiter, or undefined if the request is not limited, or if the limiter has already let
   * it through for this key.
   * @throws (or rejects) what a function among the options throws, and a TypeError or RangeError if a function returns
   *   a bad value.
   */
  ask(request: Request, read: Reader): MaybePromise<Question | undefined> {
    const skipped = this.#skip === undefined ? false : this.#skip(request);
    if (!isPromise(skipped)) return this.#afterSkip(skipped, request, read);
    return skipped.then((known) => this.#afterSkip(known, request, read));
  }

  #afterSkip(
    skipped: boolean | undefined,
    request: Request,
    read: Reader,
  ): MaybePromise<Question | undefined> {
    const isSkipped: unknown = skipped ?? false; // a function may return undefined
    if (typeof isSkipped !== 'boolean') {
      throw optionError(`${this.#where}: skip: its result`, 'true or false', isSkipped, true);
    }
    if (isSkipped) return undefined;
    if (typeof this.limiter !== 'function') return this.#afterLimiter(this.limiter, request, read);
    const limiter = this.limiter(request);
    if (!isPromise(limiter)) return this.#afterLimiter(limiter, request, read);
    return later(limiter, (known) => this.#afterLimiter(known, request, read));
  }

  #afterLimiter(limiter: unknown, request: Request, read: Reader): MaybePromise<Question | undefined> {
    if (limiter === undefined) return undefined;
    if (!(limiter instanceof Limiter)) {
      throw optionError(`${this.#where}: limiter: its result`, 'a Limiter or undefined', limiter, true);
    }
    if (this.plans.length > 0 && !this.plans.includes(limiter)) {
      throw optionError(`${this.#where}: limiter: its result`, 'one of plans', limiter, false);
    }
    if (!limiter.keyed) return this.#afterKey(limiter, undefined, request, read);
    const key = this.#keyOf(request, read);
    if (!isPromise(key)) return this.#afterKey(limiter, bounded(key ?? ''), request, read);
    return later(key, (known) => this.#afterKey(limiter, bounded(known ?? ''), request, read));
  }

  #keyOf(request: Request, read: Reader): MaybePromise<Key | undefined> {
    if (typeof this.#key === 'function') return this.#key(request);
    if (typeof this.#key === 'object') return read.header(this.#key.header);
    if (this.#key === 'address') return read.address();
    throw optionError(`${this.#where}: key`, keysExpected(undefined), undefined, true);
  }

  #afterKey(
    limiter: Limiter,
    key: Key | undefined,
    request: Request,
    read: Reader,
  ): MaybePromise<Question | undefined> {
    if (hasPassed(read.identities, limiter, key)) return undefined;
    const cost = typeof this.#cost === 'function' ? this.#cost(request) : this.#cost;
    return isPromise(cost) ? later(cost, (known) => ({ limiter, key, cost: known })) : { limiter, key, cost };
  }
}

/**
 * A separate function, because a function that contains a closure allocates the closure's context even if the closure
 * is never created.
 */
function later<T, R>(promise: PromiseLike<T>, next: (known: T) => MaybePromise<R>): PromiseLike<R> {
  return promise.then(next);
}

/**
 * Replaces a key that is longer than limiters take by its SHA-256 as a bigint. Different keys have different digests,
 * and a bigint equals no text that a client can send.
 */
function bounded(key: Key): Key {
  if (fitsKey(key)) return key; // or it is no key at all: then the limiter rejects it
  const text = typeof key === 'string' ? key : `${key < 0 ? '-' : '+'}${key.toString(16)}`;
  const digest = createHash('sha256')
    .update(`${typeof key}:`)
    .update(text, 'utf16le')
    .digest('hex');
  return BigInt(`0x${digest}`);
}

function checkedPlans(where: string, plans: unknown, limiter: unknown): readonly Limiter[] {
  if (plans === undefined) return [];
  const name = `${where}: plans`;
  if (typeof limiter !== 'function') {
    throw optionError(name, 'undefined (limiter is no function that chooses)', plans, true);
  }
  const list = copiedList(plans, 2, plansMax);
  if (list === undefined || !list.every((one): one is Limiter => one instanceof Limiter)) {
    throw optionError(name, `a list of 2 to ${plansMax} Limiters`, plans, !Array.isArray(plans));
  }
  if (new Set(list).size < list.length) throw optionError(name, 'Limiters that differ', plans, false);
  if (list.some(({ keyed }) => keyed !== list[0]?.keyed)) {
    throw optionError(name, 'Limiters that all have keys, or none', plans, false);
  }
  return list;
}

function keysExpected(fallback: 'address' | undefined): string {
  return `${fallback === undefined ? '' : "'address', "}{ header } or a function`;
}

function checkedKey<Request>(
  where: string,
  given: Options,
  limiter: AskingOptions<Request>['limiter'],
  fallback: 'address' | undefined,
): AskingOptions<Request>['key'] {
  const key = given.get('key');
  const keyed = limiter instanceof Limiter ? limiter.keyed : undefined; // unknown until the function chooses
  if (key !== undefined && keyed === false) {
    throw optionError(`${where}: key`, 'undefined (the limiter has no keys)', key, true);
  }
  if (key === undefined && (fallback !== undefined || keyed !== true)) return fallback;
  if (typeof key === 'function') return key as (request: Request) => Key | undefined;
  if (key === 'address' && fallback !== undefined) return key;
  const header =
    key !== 'address' && typeof key === 'object' ? given.nested('key', ['header'])?.get('header') : undefined;
  if (typeof header === 'string' && token.test(header)) return { header: header.toLowerCase() };
  throw optionError(`${where}: key`, keysExpected(fallback), key, true);
}
