/**
 * limiter, RateLimiter: a token bucket with an interval allowance, for one thread and without keys.
 *
 * Asked with `tryRemoveTokens`, which its README gives for refusing instead of waiting: synchronous, so it is the
 * cheapest that it has. Of its two classes `RateLimiter` is the one whose README example limits requests; the bare
 * `TokenBucket` beneath it, which costs less, is measured too.
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
