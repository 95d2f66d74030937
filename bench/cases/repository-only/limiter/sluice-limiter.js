/**
 * sluice's Limiter, whose limits are never reached. allow() is measured with a token bucket (without keys, with 1,000
 * numbers as keys, and with 1,000 strings as keys, as for the rivals) and with three tiers. tryAcquire(), which returns
 * a decision object, is measured with a token bucket.
 */
import { Limiter } from 'sluice';
import { keys, numberKeys, PLENTY } from '../../../harness/repository-only/loads/limiter-load.js';

const CALLS = 10_000;
const tokenBucket = { ratePerSecond: 1e7, burst: 2 ** 32 - 1 };
const three = {
  tokenBucket,
  slidingWindow: { limit: PLENTY, windowMs: 1_000 },
  queueDepth: { max: 2 ** 32 - 1 },
};

/**
 * @param {import('sluice').LimiterOptions} options
 * @param {(limiter: Limiter) => number} askAll asks CALLS times and returns how often it was allowed
 * @returns {import('../../../harness/repository-only/caller.js').Case}
 */
function limiterCase(options, askAll) {
  return {
    share() {
      const limiter = Limiter.create(options);
      return { data: limiter.handle, dispose: () => limiter[Symbol.dispose]() };
    },
    open(handle) {
      const limiter = Limiter.attach(handle);
      let allowed = 0;
      return {
        calls: CALLS,
        turn() {
          allowed += askAll(limiter);
        },
        check(calls) {
          if (allowed !== calls) throw new Error(`${calls} calls, ${allowed} allowed`);
        },
      };
    },
  };
}

export const file = import.meta.url;

export const cases = {
  'allow()': limiterCase({ tokenBucket }, (limiter) => {
    let allowed = 0;
    for (let i = 0; i < CALLS; i++) if (limiter.allow()) allowed++;
    return allowed;
  }),
  'allow(number)': limiterCase({ tokenBucket, keys: { max: 10_000 } }, (limiter) => {
    let allowed = 0;
    for (let i = 0; i < CALLS; i++) {
      if (limiter.allow(/** @type {number} */ (numberKeys[i % numberKeys.length]))) allowed++;
    }
    return allowed;
  }),
  'allow(string)': limiterCase({ tokenBucket, keys: { max: 10_000 } }, (limiter) => {
    let allowed = 0;
    for (let i = 0; i < CALLS; i++) {
      if (limiter.allow(/** @type {string} */ (keys[i % keys.length]))) allowed++;
    }
    return allowed;
  }),
  'allow(), three tiers': limiterCase(three, (limiter) => {
    let allowed = 0;
    for (let i = 0; i < CALLS; i++) if (limiter.allow()) allowed++;
    limiter.release(CALLS);
    return allowed;
  }),
  'tryAcquire()': limiterCase({ tokenBucket }, (limiter) => {
    let allowed = 0;
    for (let i = 0; i < CALLS; i++) if (limiter.tryAcquire().allowed) allowed++;
    return allowed;
  }),
};
