/**
 * limiter, RateLimiter: a token bucket with an interval allowance, for one thread and without keys.
 *
 * It is called by `tryRemoveTokens`, which its README recommends for refusing instead of waiting. That call is
 * synchronous, and therefore the cheapest of the package. The README limits requests with the class `RateLimiter`; the
 * bare `TokenBucket` beneath it costs less, and is measured, too.
 */
import { RateLimiter, TokenBucket } from 'limiter';
import { PLENTY } from '../../harness/repository-only/loads/limiter-load.js';

const CALLS = 10_000;

/**
 * @param {() => { tryRemoveTokens(count: number): boolean }} make
 * @returns {import('../../harness/repository-only/caller.js').Case}
 */
function tries(make) {
  return {
    open() {
      const limiter = make();
      let allowed = 0;
      return {
        calls: CALLS,
        turn() {
          for (let i = 0; i < CALLS; i++) if (limiter.tryRemoveTokens(1)) allowed++;
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
  'RateLimiter.tryRemoveTokens': tries(
    () => new RateLimiter({ tokensPerInterval: PLENTY, interval: 'second' }),
  ),
  'TokenBucket.tryRemoveTokens': tries(() => {
    const bucket = new TokenBucket({
      bucketSize: PLENTY,
      tokensPerInterval: PLENTY,
      interval: 'second',
    });
    bucket.content = PLENTY; // a bucket begins empty
    return bucket;
  }),
};
