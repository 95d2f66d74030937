import { isSafeInteger, type Options, optionError } from '../input/index.js';
import {
  type Allowed,
  costMax,
  holdsDepth,
  type Key,
  type Limiter,
  refundPart,
  type Tier,
} from '../limiter/index.js';
import type { Question } from './asking.js';
import { held, holdMsMax } from './held.js';
import type { Notices } from './notices.js';
import type { Reader } from './reader.js';

/** The options that decide about a charge when the response has ended. */
export interface SettlingOptions<Request, Response> {
  /**
   * Which responses stay charged: all, those with a status of 400 and above ('failed'), or those below ('successful').
   * The charges of the other responses are given back when they end (`refund`, as far as they are still in force). All
   * three names keep the charge of a response that its client does not wait for, because otherwise a client that aborts
   * its requests would have no limit. Default: 'all'.
   *
   * A function returns true if the response stays charged, false if its charge is given back. It gets the framework's
   * response (node's, Fastify's reply, the context of Koa and Hono, or the Response; undefined if a fetch handler has
   * thrown), the status (499 if the client disconnected before the end), and the request.
   *
   * @example
   * limit({ limiter, count: (response) => response.statusCode === 401 })
   */
  readonly count?:
    | ('all' | 'failed' | 'successful' | ((response: Response, status: number, request: Request) => boolean))
    | undefined;
  /**
   * Returns the final cost of a request, if that is known only when its response has ended: a whole number from 0 to
   * 2^32 - 1. The request is charged its `cost` first. If the final cost is higher, the difference is charged even if
   * less is left (as by `penalty`). If it is lower, the difference is given back, as far as it is still in force.
   * Called only for responses that `count` leaves charged, with the arguments of `count`.
   *
   * @example
   * limit({ limiter, cost: 100, finalCost: (response) => response.locals.tokens })
   */
  readonly finalCost?: ((response: Response, status: number, request: Request) => number) | undefined;
  /**
   * The longest time for which a request holds its place in the limiter's depth, in milliseconds: 1 to 2,147,483,647. A
   * request that takes longer goes on without its place, which another can take. So a client with idle uploads does not
   * keep others out for as long as the server keeps the connection. A charge that `count` gives back is still given
   * back only when the response has ended. Without a depth that holds places, `holdMs` does nothing. Default: until the
   * response has ended.
   */
  readonly holdMs?: number | undefined;
}

export const knownOfSettling: readonly string[] = ['count', 'finalCost', 'holdMs'];
/** The status of a response that its client did not wait for. */
const goneStatus = 499;
const counts = ['all', 'failed', 'successful'] as const;
type Judge<Request, Result> = (response: never, status: number, request: Request) => Result;

/** The charge of a request to one limiter: the one that decided, or another plan. */
interface Charge {
  readonly limiter: Limiter;
  readonly decision: Allowed;
}

/** Gives back or corrects the charges of requests when their responses have ended. */
export class Settling<Request> {
  readonly #where: string;
  readonly #notices: Notices<Request>;
  readonly #plans: readonly Limiter[];
  readonly #count: (typeof counts)[number] | Judge<Request, boolean>;
  readonly #finalCost: Judge<Request, number> | undefined;
  readonly #holdMs: number | undefined;

  constructor(where: string, given: Options, plans: readonly Limiter[], notices: Notices<Request>) {
    this.#where = where;
    this.#notices = notices;
    this.#plans = plans;
    const { count = 'all' } = given.own as SettlingOptions<Request, never>;
    if (typeof count !== 'function' && !counts.includes(count)) {
      const expected = `${counts.join(' or ')} or a function`;
      throw optionError(`${where}: count`, expected, count, typeof count !== 'string');
    }
    this.#count = count;
    this.#finalCost = given.callback('finalCost');
    this.#holdMs = given.has('holdMs') ? given.number('holdMs', 1, holdMsMax) : undefined;
  }

  /**
   * Charges the other plans that have room for the request. Returns a function to call once with the status when the
   * response has ended (further calls do nothing), or undefined if nothing changes then.
   */
  ender(
    question: Question,
    decision: Allowed,
    request: Request,
    read: Reader,
  ): ((status: number) => void) | undefined {
    const charges = this.#plans.length === 0 ? [] : this.#ofOtherPlans(question);
    const { limiter, key, cost } = question;
    const holds = holdsDepth(limiter) || charges.some((one) => holdsDepth(one.limiter));
    if (this.#count === 'all' && this.#finalCost === undefined && !holds) return undefined;
    charges.unshift({ limiter, decision });
    const end = held(charges.length === 1 ? decision : together(charges), holds ? this.#holdMs : undefined);
    let ended = false;
    return (status) => {
      if (ended) return;
      ended = true;
      const counted = this.#counts(status, request, read);
      const final = counted ? this.#finalCostOf(cost, status, request, read) : cost;
      for (const one of charges) adjust(one, key, cost, final);
      end(!counted);
    };
  }

  #ofOtherPlans({ limiter, key, cost }: Question): Charge[] {
    const charges: Charge[] = [];
    try {
      for (const other of this.#plans) {
        if (other === limiter) continue;
        const decision = other.tryAcquire({ key, cost });
        if (decision.allowed) charges.push({ limiter: other, decision });
      }
    } catch (error) {
      together(charges).refund();
      throw error;
    }
    return charges;
  }

  #counts(status: number, request: Request, read: Reader): boolean {
    const count = this.#count;
    if (count === 'all') return true;
    // 499 counts: otherwise a client that disconnects would be charged nothing, and could ask again and again.
    if (typeof count !== 'function') return status === goneStatus || (count === 'failed') === status >= 400;
    try {
      const counted: unknown = count(read.response() as never, status, request);
      if (typeof counted === 'boolean') return counted;
      throw optionError(`${this.#where}: count: its result`, 'true or false', counted, true);
    } catch (error) {
      this.#notices.failed('count', error, request);
      return true;
    }
  }

  /** Returns the final cost, or the cost already charged if there is no function or it fails. */
  #finalCostOf(charged: number, status: number, request: Request, read: Reader): number {
    if (this.#finalCost === undefined) return charged;
    try {
      const cost: unknown = this.#finalCost(read.response() as never, status, request);
      if (isSafeInteger(cost) && (cost as number) >= 0 && (cost as number) <= costMax) return cost as number;
      const expected = `a whole number from 0 to ${costMax}`;
      throw optionError(`${this.#where}: finalCost: its result`, expected, cost, typeof cost !== 'number');
    } catch (error) {
      this.#notices.failed('finalCost', error, request);
      return charged;
    }
  }
}

/**
 * Returns the tier that would have refused what a dry run allowed. Reads an own property only, whatever
 * Object.prototype has.
 */
export function dryRefusal(decision: Allowed): Tier | undefined {
  return Object.hasOwn(decision, 'wouldRefuse') ? decision.wouldRefuse : undefined;
}

function together(charges: readonly Charge[]): Pick<Allowed, 'release' | 'refund'> {
  return {
    release: () => {
      for (const { decision } of charges) decision.release();
    },
    refund: () => {
      for (const { decision } of charges) decision.refund();
    },
  };
}

function adjust({ limiter, decision }: Charge, key: Key | undefined, charged: number, cost: number) {
  if (cost === charged || dryRefusal(decision) !== undefined) return; // a dry run has not charged it
  if (cost < charged) return refundPart(decision, charged - cost);
  try {
    limiter.penalty(cost - charged, key);
  } catch {
    // The limiter has been disposed of meanwhile.
  }
}
