/**
 * The compared limiters, each in its best form for one question: may this key have one more request? Each function
 * makes a limiter that allows each key `limit` requests in a window, and has room for `keys` keys.
 */
import { createRequire } from 'node:module';
import Bottleneck from 'bottleneck';
import { MemoryStore } from 'express-rate-limit';
import { RateLimiter } from 'limiter';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { Limiter } from '../../../../dist/index.js';

const require = createRequire(import.meta.url);
/**
 * @type {new (continueExceeding: boolean, exponentialBackoff: boolean, cache: number) => { incr(key: string, done:
 * (error: unknown, result: { current: number }) => void, windowMs: number, max: number): void }}
 */
const LocalStore = require('@fastify/rate-limit/store/LocalStore.js');

/**
 * `delays`: a call that cannot pass now may wait, if the limiter is made for that.
 * @typedef {{ limit: number, windowMs: number, keys: number, delays?: boolean }} Figures
 */
/** @typedef {{ ask: (key: string) => boolean | Promise<boolean>, bytes?: () => number, delays?: boolean }} Asked */

/** @type {Record<string, (figures: Figures) => Asked>} */
export const limiters = {
  'sluice, window': ({ limit, windowMs, keys }) => {
    const limiter = Limiter.create({ slidingWindow: { limit, windowMs }, keys: { max: keys } });
    return { ask: (key) => limiter.allow(key), bytes: () => limiter.stats().bytes };
  },
  'sluice, exact window': ({ limit, windowMs, keys }) => {
    const limiter = Limiter.create({ slidingWindow: { limit, windowMs, exact: true }, keys: { max: keys } });
    return { ask: (key) => limiter.allow(key), bytes: () => limiter.stats().bytes };
  },
  'sluice, token bucket': ({ limit, windowMs, keys }) => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: (limit / windowMs) * 1_000, burst: limit },
      keys: { max: keys },
    });
    return { ask: (key) => limiter.allow(key), bytes: () => limiter.stats().bytes };
  },
  'rate-limiter-flexible': ({ limit, windowMs }) => {
    const limiter = new RateLimiterMemory({ points: limit, duration: windowMs / 1_000 });
    const yes = () => true;
    const no = () => false;
    return { ask: (key) => limiter.consume(key).then(yes, no) };
  },
  // Only the package's store, called as its middleware calls it: the rest of the package is HTTP.
  'express-rate-limit': ({ limit, windowMs }) => {
    const store = new MemoryStore();
    store.init(/** @type {import('express-rate-limit').Options} */ ({ windowMs }));
    return { ask: async (key) => (await store.increment(key)).totalHits <= limit };
  },
  // Only the package's store, as above. With its default cache it would forget all keys but 5,000.
  '@fastify/rate-limit': ({ limit, windowMs, keys }) => {
    const store = new LocalStore(false, false, keys);
    let count = 0;
    const take = (/** @type {unknown} */ _error, /** @type {{ current: number }} */ result) => {
      count = result.current;
    };
    return {
      ask: (key) => {
        store.incr(key, take, windowMs, limit);
        return count <= limit;
      },
    };
  },
  // bottleneck schedules jobs. A job that cannot run at once is dropped, because `highWater` is 0; with `delays` it
  // waits.
  bottleneck: ({ limit, windowMs, delays = false }) => {
    const group = new Bottleneck.Group({
      reservoir: limit,
      reservoirRefreshAmount: limit,
      reservoirRefreshInterval: windowMs,
      ...(delays ? {} : { highWater: 0, strategy: Bottleneck.strategy.OVERFLOW }),
    });
    const yes = async () => true;
    const no = () => false;
    return { ask: (key) => group.key(key).schedule(yes).catch(no), delays };
  },
  // The package limiter has no keys, so each key gets a limiter of its own.
  limiter: ({ limit, windowMs }) => {
    /** @type {Map<string, RateLimiter>} */
    const limiters = new Map();
    return {
      ask: (key) => {
        let limiter = limiters.get(key);
        if (limiter === undefined) {
          limiter = new RateLimiter({ tokensPerInterval: limit, interval: windowMs });
          limiters.set(key, limiter);
        }
        return limiter.tryRemoveTokens(1);
      },
    };
  },
};

/** @param {string} name @returns {(figures: Figures) => Asked} */
export function limiterNamed(name) {
  const make = limiters[name];
  if (make === undefined) throw new RangeError(`no limiter ${name}`);
  return make;
}

/** Returns keys such as a service has: names of users. @param {number} count */
export const keysOf = (count) => Array.from({ length: count }, (_, i) => `user-${i}-of-the-bench`);
