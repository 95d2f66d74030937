import { freeNames, type Told } from './fields.js';

/** The state of one tier of a limiter after it decided about a request, for the request's handlers. */
export interface RateLimit {
  /**
   * The name, as in the header fields: the limiter's `name`, with the tier's ('buy-bucket') if there are several tiers.
   * Without a `name` it is the tier's alone, with a number ('bucket-2') if the list already has that name.
   */
  readonly name: string;
  /** Whether this tier allowed the request. In a dry run it can be false although the request passed. */
  readonly allowed: boolean;
  /** Units that the tier would still allow after this request. */
  readonly remaining: number;
  /** The units that the tier allows in its window, or at once. */
  readonly limit: number;
  /**
   * Milliseconds until the tier allows one unit more; the length of its window if nothing is charged. Infinity for a
   * depth, which does not depend on time. After a refusal by a block or an overload: until that ends.
   */
  readonly resetMs: number;
}

const none: ReadonlySet<string> = new Set();

/** Adds a limiter's tiers to the list of a request's decisions. Returns their names. */
export function addRateLimits(list: RateLimit[], told: Told): readonly string[] {
  const names = freeNames(told, list.length === 0 ? none : new Set(list.map(({ name }) => name)));
  let at = 0;
  for (const { quota, remaining = 0, resetMs = Infinity, refused = false } of told.quotas) {
    list.push({ name: names[at++] as string, allowed: !refused, remaining, limit: quota, resetMs });
  }
  return names;
}

/**
 * Returns the list in the property `rateLimit` of `holder`, and creates it if there is none. Another value there is
 * replaced.
 */
export function rateLimitsOn(holder: object): RateLimit[] {
  const held = holder as { rateLimit?: unknown };
  // Reads an own property only: a list on a polluted Object.prototype would be shared by all requests.
  if (Object.hasOwn(held, 'rateLimit') && Array.isArray(held.rateLimit)) return held.rateLimit as RateLimit[];
  const list: RateLimit[] = [];
  // Defined, not assigned: Object.prototype might be frozen, or have a setter of this name.
  Object.defineProperty(held, 'rateLimit', {
    __proto__: null,
    value: list,
    writable: true,
    enumerable: true,
    configurable: true,
  } as PropertyDescriptor);
  return list;
}
