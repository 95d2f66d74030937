/**
 * express-rate-limit, its MemoryStore: a fixed window for each key, in two Maps of this thread.
 *
 * The store decides. Around it the middleware reads the request and writes headers, which is not part of a limiter's
 * cost. `increment(key)` is the one call that the middleware makes for a request; its answer, a promise by the contract
 * of stores, is awaited and compared with the limit as the middleware does. The window is an hour, so that its clean-up
 * does not run.
 */
import { MemoryStore } from 'express-rate-limit';
import { keys, PLENTY } from '../../harness/repository-only/loads/limiter-load.js';

const CALLS = 2_000;
const WINDOW_MS = 3_600_000;

export const file = import.meta.url;

/** @type {Record<string, import('../../harness/repository-only/caller.js').Case>} */
export const cases = {
  'MemoryStore.increment(string)': {
    open() {
      const store = new MemoryStore();
      store.init(/** @type {import('express-rate-limit').Options} */ ({ windowMs: WINDOW_MS }));
      let allowed = 0;
      return {
        calls: CALLS,
        async turn() {
          for (let i = 0; i < CALLS; i++) {
            const { totalHits } = await store.increment(/** @type {string} */ (keys[i % keys.length]));
            if (totalHits <= PLENTY) allowed++;
          }
        },
        check(calls) {
          if (allowed !== calls) throw new Error(`${calls} calls, ${allowed} allowed`);
        },
        close: () => store.shutdown(),
      };
    },
  },
};
