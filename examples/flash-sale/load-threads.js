// @ts-check
import { availableParallelism } from 'node:os';
import { Tally } from './tally.js';
import { WorkerThread } from './worker-thread.js';

/**
 * @typedef {import('./shoppers.js').Problem} Problem
 * @typedef {import('./shoppers.js').ThreadFindings} ThreadFindings
 * @typedef {ThreadFindings & { threads: number }} Findings
 */

/**
 * At least two, so that orders come from more than one thread. (With fewer than four connections it is one, because a
 * thread needs two.)
 */
const THREADS_MIN = 2;
const THREADS_MAX = 4;

/** The time limit of the load is this long for each 100,000 requests; a part of 100,000 counts as a whole. */
const DEADLINE_MS = 50_000;
const DEADLINE_REQUESTS = 100_000;
/** While processes and the server are killed, the time limit is so many times as long. */
const CHAOS_FACTOR = 2;

/** The worker threads that play the clients. */
export class LoadThreads {
  /** @type {WorkerThread<ThreadFindings>[]} */
  #threads;

  /**
   * @param {string[]} urls
   * @param {{ requests: number, users: number, connections: number, chaos: boolean }} size
   */
  constructor(urls, { requests, users, connections, chaos }) {
    const wanted = Math.min(THREADS_MAX, Math.max(THREADS_MIN, availableParallelism() - 1));
    const shares = Math.min(wanted, Math.floor(connections / 2));
    const parts = Math.ceil(requests / DEADLINE_REQUESTS) * (chaos ? CHAOS_FACTOR : 1);
    const deadlineMs = DEADLINE_MS * parts;
    this.#threads = Array.from({ length: shares }, (_, share) => {
      /** @type {import('./load.js').LoadTask} */
      const task = {
        urls,
        requests,
        users,
        share,
        shares,
        deadlineMs,
        connections: evenShare(connections, share, shares),
      };
      return new WorkerThread('./load.js', task);
    });
  }

  /** Ends the load early; `result` then has the findings so far. */
  stop() {
    for (const thread of this.#threads) thread.stop();
  }

  /** @returns {Promise<Findings>} of all threads together */
  async result() {
    return merge(await Promise.all(this.#threads.map((thread) => thread.result)));
  }

  async terminate() {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}

/**
 * @param {number} total
 * @param {number} share
 * @param {number} shares
 */
function evenShare(total, share, shares) {
  return Math.floor(total / shares) + (share < total % shares ? 1 : 0);
}

/**
 * @param {ThreadFindings[]} all
 * @returns {Findings}
 */
function merge(all) {
  const byStatus = new Tally();
  const answered = all.reduce((sum, one) => sum + one.answered, 0);
  const responseMs = new Float64Array(answered);
  let filled = 0;
  for (const one of all) {
    byStatus.addAll(one.byStatus);
    responseMs.set(one.responseMs, filled);
    filled += one.responseMs.length;
  }
  return {
    threads: all.length,
    answered,
    unanswered: all.reduce((sum, one) => sum + one.unanswered, 0),
    byStatus: byStatus.toJSON(),
    responseMs,
    receipts: all.flatMap((one) => one.receipts),
    problems: mergeProblems(all.flatMap((one) => one.problems)),
    stopped: all.find((one) => one.stopped !== undefined)?.stopped,
  };
}

/**
 * @param {Problem[]} problems
 * @returns {Problem[]} each kind once
 */
function mergeProblems(problems) {
  /** @type {Map<string, Problem>} */
  const merged = new Map();
  for (const problem of problems) {
    const times = problem.times + (merged.get(problem.what)?.times ?? 0);
    merged.set(problem.what, { ...problem, times });
  }
  return [...merged.values()];
}
