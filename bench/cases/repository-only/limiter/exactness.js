import { setTimeout as sleep } from 'node:timers/promises';
import { limiterNamed } from './limiters.js';

const LIMIT = 100;
const WINDOW = 1_000;

/** @typedef {Array<[atMs: number, asks: number]>} Pattern */

/**
 * Patterns that are known to break limiters; times in milliseconds from the first request.
 * @type {Record<string, Pattern>}
 */
export const patterns = {
  '1, L-1 late, L': [
    [0, 1],
    [950, LIMIT - 1],
    [1_050, LIMIT],
  ],
  'L at the end, L at the start': [
    [0, 1],
    [1_000, 1], // a fixed window that begins here ends between the next two entries
    [1_900, LIMIT],
    [2_100, LIMIT],
  ],
  random: randomPattern(7, 5_000),
};

/**
 * Returns the most calls that were let through in any one second of real time, as a multiple of the limit. A call
 * counts if its begin and its end are within the second, because the limiter let it through at an unknown moment
 * between them. A delayed call counts by its end alone, when the limiter let it through.
 *
 * @param {string} name
 * @param {Pattern} pattern
 */
export async function worstSecond(name, pattern) {
  const { ask, delays } = limiterNamed(name)({ limit: LIMIT, windowMs: WINDOW, keys: 100, delays: true });
  /** @type {Array<{ before: number, after: number }>} */
  const passed = [];
  const start = performance.now();
  const one = async () => {
    const before = performance.now();
    const answer = ask('one');
    const allowed = typeof answer === 'boolean' ? answer : await answer;
    const after = performance.now();
    if (allowed) passed.push({ before: delays ? after : before, after });
  };
  for (const [atMs, asks] of pattern) {
    await sleep(Math.max(0, start + atMs - performance.now()));
    for (let i = 0; i < asks; i++) void one();
  }
  await sleep(WINDOW);
  let most = 0;
  for (const { before: from } of passed) {
    let count = 0;
    for (const { before, after } of passed) if (before >= from && after < from + WINDOW) count++;
    most = Math.max(most, count);
  }
  return most / LIMIT;
}

/**
 * Returns bursts of 1 to 40 requests at random times, on average four times as many requests as the limit. All limiters
 * get the same bursts, because the seed determines them.
 * @param {number} seed
 * @param {number} lengthMs
 * @returns {Pattern}
 */
function randomPattern(seed, lengthMs) {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  /** @type {Pattern} */
  const pattern = [];
  for (let at = 0; at < lengthMs; at += random() * 100) pattern.push([at, 1 + Math.floor(random() * 40)]);
  return pattern;
}
