// @ts-check
import { Pool } from 'undici';

/**
 * @typedef {object} HeardAnswer
 * @property {number} status
 * @property {number} responseMs
 * @property {number} retryAfterMs  0 when the answer had no Retry-After
 * @property {Record<string, unknown>} body
 */

/** A server that sends nothing for this long has failed. */
const SILENCE_MS_MAX = 15_000;

/** If a server is away, another one of several is asked after this time; each so many times. */
const NEXT_MS = 50;
const TRIES_EACH = 40;

/** Sends orders over keep-alive connections, one request at a time on each. */
export class Client {
  /** @type {Pool[]} */
  #pools;
  #sent = 0;

  /**
   * @param {string[]} urls  of servers that sell one stock, which get the orders in turn
   * @param {number} connections  of all together, but at least one to each
   */
  constructor(urls, connections) {
    const each = Math.max(1, Math.ceil(connections / urls.length));
    this.#pools = urls.map(
      (url) =>
        new Pool(url, {
          connections: each,
          pipelining: 1,
          headersTimeout: SILENCE_MS_MAX,
          bodyTimeout: SILENCE_MS_MAX,
        }),
    );
  }

  /**
   * Sends an order to the next server. If that one does not answer, sends it to another one, if there is one: the
   * order's id says that it is the same order.
   * @param {string} body
   * @returns {Promise<HeardAnswer>}
   */
  async order(body) {
    const tries = this.#pools.length === 1 ? 1 : TRIES_EACH * this.#pools.length;
    for (let attempt = 1; ; attempt++) {
      this.#sent += 1;
      const pool = /** @type {Pool} */ (this.#pools[this.#sent % this.#pools.length]);
      try {
        return await send(pool, body);
      } catch (error) {
        if (attempt === tries || pool.destroyed) throw error;
        await new Promise((resolve) => setTimeout(resolve, NEXT_MS));
      }
    }
  }

  /** Ends requests in flight with an error. */
  async destroy() {
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  async close() {
    await Promise.all(this.#pools.filter((pool) => !pool.destroyed).map((pool) => pool.close()));
  }
}

/**
 * @param {Pool} pool
 * @param {string} body
 * @returns {Promise<HeardAnswer>}
 */
async function send(pool, body) {
  const sentAt = performance.now();
  const response = await pool.request({
    method: 'POST',
    path: '/orders',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const text = await response.body.text();
  const responseMs = performance.now() - sentAt;
  return {
    status: response.statusCode,
    responseMs,
    retryAfterMs: Number(response.headers['retry-after'] ?? 0) * 1_000,
    body: JSON.parse(text),
  };
}
