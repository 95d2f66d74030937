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

/** Sends orders over keep-alive connections, one request at a time on each. */
export class Client {
  /** @type {Pool} */
  #pool;

  /**
   * @param {string} url
   * @param {number} connections
   */
  constructor(url, connections) {
    this.#pool = new Pool(url, {
      connections,
      pipelining: 1,
      headersTimeout: SILENCE_MS_MAX,
      bodyTimeout: SILENCE_MS_MAX,
    });
  }

  /**
   * @param {string} body
   * @returns {Promise<HeardAnswer>}
   */
  async order(body) {
    const sentAt = performance.now();
    const response = await this.#pool.request({
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

  /** Ends requests in flight with an error. */
  async destroy() {
    await this.#pool.destroy();
  }

  async close() {
    if (!this.#pool.destroyed) await this.#pool.close();
  }
}
