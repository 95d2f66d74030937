// @ts-check
import { once } from 'node:events';
import { createServer } from 'node:http';
import { answerToOversized, NOT_FOUND, WRONG_METHOD } from './answers.js';
import { Tally } from './tally.js';

/** An order is about 60 bytes. */
const BODY_BYTES_MAX = 1_024;

/**
 * The server reads and discards this much of a longer body, so that the client still gets the 413 and the connection
 * stays usable. A client that sends more is cut off.
 */
const DISCARDED_BYTES_MAX = 1_048_576;

/** Connections that are still busy this long after close() are cut. */
const CLOSE_GRACE_MS = 2_000;

/** Limits beyond which a client is cut off, so that slow or idle clients cannot block others for long. */
const LIMITS = {
  /** A connection beyond this number is closed at once, without an answer. The load of this example opens fewer. */
  connections: 1_024,
  /** The longest time until the header of a request is complete, and until the whole request is. */
  headersMs: 2_000,
  requestMs: 4_000,
  /** The longest time without a byte in either direction. */
  idleMs: 10_000,
  /** The time between two checks of headersMs and requestMs. */
  checkMs: 500,
  headerBytes: 4_096,
};

/**
 * @typedef {import('./answers.js').Answer} Answer
 * @typedef {(text: string) => Answer | Promise<Answer>} Decide
 */

/** Serves POST /orders on 127.0.0.1, in front of an admission desk. */
export class OrderServer {
  byStatus = new Tally();
  byOutcome = new Tally();
  answered = 0;

  /** @type {Decide} */
  #decide;
  #http;

  /**
   * @param {Decide} decide
   * @param {Partial<typeof LIMITS>} [limits]
   */
  constructor(decide, limits = {}) {
    this.#decide = decide;
    const { connections, headersMs, requestMs, idleMs, checkMs, headerBytes } = { ...LIMITS, ...limits };
    this.#http = createServer(
      {
        headersTimeout: headersMs,
        requestTimeout: requestMs,
        connectionsCheckingInterval: checkMs,
        maxHeaderSize: headerBytes,
      },
      (request, response) => this.#receive(request, response),
    );
    this.#http.maxConnections = connections;
    this.#http.setTimeout(idleMs);
  }

  /**
   * @param {number} [wanted]  the port; 0: any that is free
   * @returns {Promise<string>} the URL on which the server listens
   */
  async listen(wanted = 0) {
    this.#http.listen(wanted, '127.0.0.1');
    await once(this.#http, 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.#http.address());
    return `http://127.0.0.1:${port}`;
  }

  /**
   * Accepts no more connections, lets the requests in flight finish for a time, and resolves when all connections are
   * closed.
   */
  async close() {
    const closed = once(this.#http, 'close');
    this.#http.close();
    this.#http.closeIdleConnections();
    const cut = setTimeout(() => this.#http.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(cut);
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  #receive(request, response) {
    /** @type {Buffer[]} */
    const chunks = [];
    let bytes = 0;
    request.on('data', (/** @type {Buffer} */ chunk) => {
      bytes += chunk.length;
      if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
      else if (bytes > DISCARDED_BYTES_MAX) this.#cutOff(request, response);
    });
    request.on('end', () => {
      if (response.headersSent) return;
      const answer = this.#answer(request, bytes, chunks);
      if (answer instanceof Promise) answer.then((later) => this.#send(response, later));
      else this.#send(response, answer);
    });
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {number} bytes
   * @param {Buffer[]} chunks
   */
  #answer(request, bytes, chunks) {
    if (request.url !== '/orders') return NOT_FOUND;
    if (request.method !== 'POST') return WRONG_METHOD;
    if (bytes > BODY_BYTES_MAX) return answerToOversized(BODY_BYTES_MAX);
    return this.#decide(
      (chunks.length === 1 ? /** @type {Buffer} */ (chunks[0]) : Buffer.concat(chunks)).toString(),
    );
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  #cutOff(request, response) {
    if (response.headersSent) return;
    response.shouldKeepAlive = false;
    response.once('finish', () => request.destroy());
    this.#send(response, answerToOversized(BODY_BYTES_MAX));
  }

  /**
   * @param {import('node:http').ServerResponse} response
   * @param {import('./answers.js').Answer} answer
   */
  #send(response, { status, outcome, body, retryAfterSeconds, allow }) {
    const text = JSON.stringify(body);
    response.statusCode = status;
    response.setHeader('content-type', 'application/json');
    response.setHeader('content-length', Buffer.byteLength(text));
    if (retryAfterSeconds !== undefined) response.setHeader('retry-after', retryAfterSeconds);
    if (allow !== undefined) response.setHeader('allow', allow);
    response.end(text);
    this.byStatus.add(status);
    this.byOutcome.add(outcome);
    this.answered += 1;
  }
}
