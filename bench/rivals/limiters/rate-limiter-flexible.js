/**
 * rate-limiter-flexible, RateLimiterMemory: a fixed window for each key, in a Map of this thread.
 *
 * It is set up as in its README: `points` for a `duration`, one `consume(key)` for each request, whose promise resolves
 * or rejects. Every answer is awaited, since nothing can be decided before it. An empty `keyPrefix` saves a string for
 * each call. Its options that cost more are left off: `execEvenly`, `blockDuration`, `inMemoryBlockOnConsumed` (which
 * is for stores), a wrapper for time-outs. A longer `duration` costs less (a timer is set when a window begins), so it
 * is an hour. It has no limit without a key: a limit for all uses one key.
 */
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { EVERYONE, keys, PLENTY } from '../../harness/repository-only/loads/limiter-load.js';

const CALLS = 2_000;
const DURATION_S = 3_600;

/**
 * @param {number} points
 * @param {number} [duration] seconds
 */
export function memoryLimiter(points, duration = DURATION_S) {
  return new RateLimiterMemory({ points, duration, keyPrefix: '' });
}

/**
 * @param {readonly string[]} asked
 * @returns {import('../../harness/repository-only/caller.js').Case}
 */
function consumes(asked) {
  return {
    open() {
      const limiter = memoryLimiter(PLENTY);
      let allowed = 0;
      return {
        calls: CALLS,
        async turn() {
          for (let i = 0; i < CALLS; i++) {
            await limiter.consume(/** @type {string} */ (asked[i % asked.length]));
            allowed++;
          }
        },
        check(calls) {
          if (allowed !== calls) throw new Error(`${calls} calls, ${allowed} allowed`);
        },
      };
    },
  };
}

export const file = import.meta.url;

export const cases = { 'consume, one key': consumes([EVERYONE]), 'consume(string)': consumes(keys) };
