// @ts-check
import { surprise } from './expectations.js';
import { bodyOf } from './scenario.js';
import { Tally } from './tally.js';

/**
 * @typedef {import('./client.js').HeardAnswer} HeardAnswer
 * @typedef {import('./scenario.js').PlannedRequest} PlannedRequest
 * @typedef {import('./scenario.js').Visit} Visit
 */

/**
 * The content of a 202, by which the server promises the units to a client.
 * @typedef {object} Receipt
 * @property {number} id
 * @property {string} reservation
 * @property {number} sku
 * @property {number} quantity
 */

/**
 * @typedef {object} Problem
 * @property {string} what
 * @property {number} times
 * @property {string} heard  what a thread heard the first time
 */

/**
 * @typedef {object} ThreadFindings
 * @property {number} answered
 * @property {number} unanswered            sent, but no answer came
 * @property {Record<string, number>} byStatus
 * @property {Float64Array<ArrayBuffer>} responseMs
 * @property {Receipt[]} receipts
 * @property {Problem[]} problems           answers that are wrong, or did not come
 * @property {string | undefined} stopped the reason, if the thread's load ended early
 */

/** Carries out visits, with at most as many requests in flight as there are connections. */
export class Shoppers {
  #client;
  #free;
  #several;
  #connections;

  /**
   * @type {{ dueAt: number, planned: PlannedRequest }[]} requests to send when a Retry-After is over, the earliest
   *   first
   */
  #comingBack = [];

  #wake = () => {};

  /** @type {string | undefined} the reason that was given to stop() */
  #stopped;

  #byStatus = new Tally();
  #unanswered = 0;

  /** @type {number[]} */
  #responseMs = [];

  /** @type {Receipt[]} */
  #receipts = [];

  /** @type {Map<string, Problem>} */
  #problems = new Map();

  /**
   * @param {Pick<import('./client.js').Client, 'order' | 'destroy'>} client
   * @param {number} connections  at least 2: the clicks of a double click are in flight together
   * @param {boolean} [several]   whether several processes sell
   */
  constructor(client, connections, several = false) {
    this.#client = client;
    this.#several = several;
    this.#connections = connections;
    this.#free = connections;
  }

  /**
   * @param {Iterable<Visit>} plan
   * @returns {Promise<void>} when every visit is over, or given up after stop()
   */
  async send(plan) {
    for (const visit of plan) {
      await this.#sendComingBack();
      await this.#until(() => this.#free >= inFlight(visit));
      if (this.#stopped !== undefined) break;
      this.#start(visit);
    }
    while (this.#busy) {
      await this.#changed();
      await this.#sendComingBack();
    }
  }

  get #busy() {
    return this.#free < this.#connections || (this.#comingBack.length > 0 && this.#stopped === undefined);
  }

  /**
   * Sends nothing more and gives up requests in flight.
   * @param {string} reason
   */
  stop(reason) {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    void this.#client.destroy();
    this.#wake();
  }

  /** @returns {ThreadFindings} */
  findings() {
    return {
      answered: this.#responseMs.length,
      unanswered: this.#unanswered,
      byStatus: this.#byStatus.toJSON(),
      responseMs: Float64Array.from(this.#responseMs),
      receipts: this.#receipts,
      problems: [...this.#problems.values()],
      stopped: this.#stopped,
    };
  }

  /** Sends the requests whose Retry-After is over. */
  async #sendComingBack() {
    for (;;) {
      const next = this.#comingBack[0];
      if (next === undefined || next.dueAt > performance.now()) return;
      await this.#until(() => this.#free >= 1);
      if (this.#stopped !== undefined) return;
      this.#comingBack.shift();
      this.#start({ together: false, requests: [next.planned] });
    }
  }

  /** @param {Visit} visit */
  #start(visit) {
    const taken = inFlight(visit);
    this.#free -= taken;
    // A missing answer causes no rejection. So a rejection here is a bug, and ends the thread.
    void this.#carryOut(visit).finally(() => {
      this.#free += taken;
      this.#wake();
    });
  }

  /** @param {Visit} visit */
  async #carryOut({ together, requests }) {
    if (together) {
      await Promise.all(requests.map((planned) => this.#order(planned)));
      return;
    }
    const [first, second] = requests;
    if (first === undefined) return;
    const answer = await this.#order(first);
    if (second === undefined || answer === undefined) return;
    if (answer.retryAfterMs > 0) this.#comeBack(answer.retryAfterMs, second);
    else await this.#order(second, answer);
  }

  /**
   * @param {number} delayMs
   * @param {PlannedRequest} planned
   */
  #comeBack(delayMs, planned) {
    const dueAt = performance.now() + delayMs;
    const later = this.#comingBack.findLastIndex((waiting) => waiting.dueAt <= dueAt);
    this.#comingBack.splice(later + 1, 0, { dueAt, planned });
  }

  /**
   * @param {PlannedRequest} planned
   * @param {HeardAnswer} [earlier]  the answer to the earlier request with this id
   * @returns {Promise<HeardAnswer | undefined>} undefined when none came
   */
  async #order(planned, earlier) {
    let answer;
    try {
      answer = await this.#client.order(bodyOf(planned));
    } catch (error) {
      this.#unanswered += 1;
      if (this.#stopped === undefined) this.#problem('no answer', String(error));
      return undefined;
    }
    this.#responseMs.push(answer.responseMs);
    this.#byStatus.add(answer.status);
    const wrong = surprise(planned, answer, earlier, this.#several);
    if (wrong !== undefined) this.#problem(wrong, `${answer.status} ${JSON.stringify(answer.body)}`);
    const { reservation } = answer.body;
    if (answer.status === 202 && typeof reservation === 'string') {
      const { id, sku, quantity } = planned.order;
      this.#receipts.push({ id, reservation, sku, quantity });
    }
    return answer;
  }

  /**
   * @param {string} what
   * @param {string} heard
   */
  #problem(what, heard) {
    const known = this.#problems.get(what);
    if (known === undefined) this.#problems.set(what, { what, times: 1, heard });
    else known.times += 1;
  }

  /** @param {() => boolean} condition */
  async #until(condition) {
    while (!condition() && this.#stopped === undefined) await this.#changed();
  }

  /** @returns {Promise<void>} when a visit is over, a retry is due, or stop() was called */
  #changed() {
    return new Promise((resolve) => {
      const next = this.#comingBack[0];
      const due = next && setTimeout(resolve, Math.max(1, next.dueAt - performance.now()));
      this.#wake = () => {
        clearTimeout(due);
        resolve();
      };
    });
  }
}

/** @param {Visit} visit */
function inFlight({ together, requests }) {
  return together ? requests.length : 1;
}
