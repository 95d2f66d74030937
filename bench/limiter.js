// `node --expose-gc bench/limiter.js`: sluice's limiter beside its peers, each asked for 100 a second for each key.
//   cost       nanoseconds of one decision that allows, over 1,000 keys; median of 5 rounds, min and max
//   worst      the most that any true second let through, in units of the limit, under two patterns: 1, then L - 1
//              late, then L; and L at the end of one second, L at the start of the next. In real time.
//   memory     bytes for each of 100,000 keys: growth of the heap, of what is outside it, and of the segment
// Prints a Markdown table.
import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryStore } from 'express-rate-limit';
import { RateLimiter } from 'limiter';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { Limiter } from '../dist/index.js';

const LIMIT = 100;
const ROUNDS = 5;
const CALLS = 99_000; // 99 for each key, after one to warm up
const KEYS = 100_000;

/** @typedef {{ ask: (key: string) => boolean | Promise<boolean>, bytes?: () => number }} Asked */

/** Each makes a limiter of `limit` a second and room for `keys`. @type {Record<string, (limit: number, keys: number) => Asked>} */
const contenders = {
  'sluice, window': (limit, keys) => {
    const limiter = Limiter.create({ slidingWindow: { limit, windowMs: 1_000 }, keys: { max: keys } });
    return { ask: (key) => limiter.allow(key), bytes: () => limiter.stats().bytes };
  },
  'sluice, exact window': (limit, keys) => {
    const limiter = Limiter.create({
      slidingWindow: { limit: Math.min(limit, LIMIT), windowMs: 1_000, exact: true },
      keys: { max: keys },
    });
    return { ask: (key) => limiter.allow(key), bytes: () => limiter.stats().bytes };
  },
  'sluice, token bucket': (limit, keys) => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: limit, burst: limit },
      keys: { max: keys },
    });
    return { ask: (key) => limiter.allow(key), bytes: () => limiter.stats().bytes };
  },
  'rate-limiter-flexible': (limit) => {
    const limiter = new RateLimiterMemory({ points: limit, duration: 1 });
    return {
      ask: (key) =>
        limiter.consume(key).then(
          () => true,
          () => false,
        ),
    };
  },
  'express-rate-limit': (limit) => {
    const store = new MemoryStore();
    store.init(/** @type {import('express-rate-limit').Options} */ ({ windowMs: 1_000 }));
    return { ask: async (key) => (await store.increment(key)).totalHits <= limit };
  },
  limiter: (limit) =>
    perKey(() => {
      const limiter = new RateLimiter({ tokensPerInterval: limit, interval: 'second' });
      return () => limiter.tryRemoveTokens(1);
    }),
};

/** A limiter without keys: one for each. @returns {Asked} */
function perKey(/** @type {() => () => boolean | Promise<boolean>} */ make) {
  const limiters = new Map();
  return {
    ask: (key) => {
      let ask = limiters.get(key);
      if (ask === undefined) {
        ask = make();
        limiters.set(key, ask);
      }
      return ask();
    },
  };
}

const keysOf = (/** @type {number} */ count) =>
  Array.from({ length: count }, (_, i) => `user-${i}-of-the-bench`);
const median = (/** @type {number[]} */ values) => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

async function cost(/** @type {Asked} */ { ask }, /** @type {number} */ calls) {
  const keys = keysOf(1_000);
  for (const key of keys) await ask(key);
  const start = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) {
    const answer = ask(keys[i % 1_000] ?? '');
    if (typeof answer !== 'boolean') await answer;
  }
  return Number(process.hrtime.bigint() - start) / calls;
}

/** The most that any true second let through. @param {Array<[atMs: number, asks: number]>} bursts */
async function worst(/** @type {Asked} */ { ask }, bursts) {
  const passed = [];
  const start = performance.now();
  for (const [atMs, asks] of bursts) {
    await sleep(Math.max(0, start + atMs - performance.now()));
    for (let i = 0; i < asks; i++) if (await ask('one')) passed.push(performance.now());
  }
  let most = 0;
  for (const from of passed)
    most = Math.max(most, passed.filter((at) => at >= from && at < from + 1_000).length);
  return most / LIMIT;
}

async function memory(/** @type {Asked} */ { ask, bytes }) {
  const keys = keysOf(KEYS);
  const used = () => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  for (const key of keys) {
    const answer = ask(key);
    if (typeof answer !== 'boolean') await answer;
  }
  return (used() - before + (bytes?.() ?? 0)) / KEYS;
}

console.log(
  '| limiter | cost of a call, ns (min to max) | worst second: 1, L-1, L | worst second: L, L | bytes a key |',
);
console.log('|---|---|---|---|---|');
const costs = new Map(Object.keys(contenders).map((name) => [name, /** @type {number[]} */ ([])]));
const many = 1_000_000_000; // more than is asked
for (let round = 0; round < ROUNDS; round++) {
  // In turn, so that what else the machine does falls on all of them.
  for (const [name, make] of Object.entries(contenders)) {
    // The exact window's limit is its memory: it is asked no more often than it allows.
    costs.get(name)?.push(await cost(make(name === 'sluice, token bucket' ? 1e7 : many, 10_000), CALLS));
  }
}
for (const [name, make] of Object.entries(contenders)) {
  const values = costs.get(name) ?? [];
  const shown = `${median(values).toFixed(0)} (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)})`;
  const trickled = await worst(make(LIMIT, 100), [
    [0, 1],
    [950, LIMIT - 1],
    [1_050, LIMIT],
  ]);
  const twice = await worst(make(LIMIT, 100), [
    [0, 0],
    [900, LIMIT],
    [1_100, LIMIT],
  ]);
  const bytes = await memory(make(LIMIT, KEYS));
  console.log(
    `| ${name} | ${shown} | ${trickled.toFixed(2)} x | ${twice.toFixed(2)} x | ${bytes.toFixed(0)} |`,
  );
}
process.exit(); // timers of the peers
