import { keysOf, limiterNamed } from './limiters.js';

const keys = keysOf(1_000);

/**
 * Returns the nanoseconds of one call, over 1,000 keys in turn. Promises are awaited a thousand at a time, which is the
 * fastest way to call a limiter that returns them.
 *
 * @param {string} name
 * @param {'allows' | 'refuses'} answer
 * @param {number} durationMs for which it measures at the least
 */
export async function cost(name, answer, durationMs) {
  // The exact window's memory grows with its limit. So where it must always allow, the limit is small and the window
  // short.
  const figures =
    answer === 'refuses'
      ? { limit: 1, windowMs: 3_600_000, keys: 10_000 }
      : name === 'sluice, exact window'
        ? { limit: 1_000, windowMs: 1, keys: 10_000 }
        : { limit: 10_000_000, windowMs: 1_000, keys: 10_000 };
  const { ask } = limiterNamed(name)(figures);
  await round(ask);
  await round(ask);
  let calls = 0;
  let asExpected = 0;
  const start = process.hrtime.bigint();
  let taken = 0;
  do {
    asExpected += await round(ask, answer === 'allows');
    calls += keys.length;
    taken = Number(process.hrtime.bigint() - start);
  } while (taken < durationMs * 1e6);
  if (asExpected !== calls) throw new Error(`${name} ${answer} only ${asExpected} of ${calls}`);
  return taken / calls;
}

/**
 * Asks once for each key. Returns how many answers were as expected.
 * @param {(key: string) => boolean | Promise<boolean>} ask
 */
async function round(ask, expected = true) {
  let count = 0;
  const promises = [];
  for (const key of keys) {
    const answer = ask(key);
    if (typeof answer !== 'boolean') promises.push(answer);
    else if (answer === expected) count++;
  }
  if (promises.length > 0) for (const answer of await Promise.all(promises)) if (answer === expected) count++;
  return count;
}
