import { freeNames, type Told } from './fields.js';

/** What a limiter has decided about a request, for its handlers: one for each of the limiter's tiers. */
export interface RateLimit {
  /**
   * As in the header fields: the limiter's `name`, with the tier's ('buy-bucket') if it has several; without one the
   * tier's alone, with a number ('bucket-2') if the list has it already.
   */
  readonly name: string;
  /** Whether this tier allowed the request. False beside a request that passed: in a dry run. */
  readonly allowed: boolean;
  /** Units that the tier would still allow after this request. */
  readonly remaining: number;
  readonly limit: number;
  /**
   * Milliseconds until the tier allows one unit more; of a tier that has given nothing away, its window. Infinity where
   * no clock tells: of a depth.
   */
  readonly resetMs: number;
}

const none: ReadonlySet<string> = new Set();

/** Adds a limiter's tiers to what others have decided about the request. Returns their names. */
export function addRateLimits(list: RateLimit[], told: Told): readonly string[] {
  const names = freeNames(told, list.length === 0 ? none : new Set(list.map(({ name }) => name)));
  let at = 0;
  for (const { quota, remaining = 0, resetMs = Infinity, refused = false } of told.quotas) {
    list.push({ name: names[at++] as string, allowed: !refused, remaining, limit: quota, resetMs });
  }
  return names;
}

/** The list that is the property `rateLimit` of `holder`, made if there is none. What others had put there goes. */
export function rateLimitsOn(holder: object): RateLimit[] {
  const held = holder as { rateLimit?: unknown };
  // By its own property: a polluted Object.prototype would be a list for all requests.
  if (Object.hasOwn(held, 'rateLimit') && Array.isArray(held.rateLimit)) return held.rateLimit as RateLimit[];
  const list: RateLimit[] = [];
  // Defined, not assigned: Object.prototype might be frozen or have a setter of the name.
  Object.defineProperty(held, 'rateLimit', {
    __proto__: null,
    value: list,
    writable: true,
    enumerable: true,
    configurable: true,
  } as PropertyDescriptor);
  return list;
}
