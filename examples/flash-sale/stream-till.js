// @ts-check
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { nodeRedis, RedisQueue, RedisWorkers } from 'sluice/redis';
import { answerToAdmission } from './answers.js';
import { monotonicMs } from './clock.js';
import { GROUP, StreamedOrder } from './stream-schema.js';
import { StreamServer } from './stream-server.js';
import { WorkerThread } from './worker-thread.js';

/** How long a push may take: the server may be killed, and start again, meanwhile. */
const PUSH_MS = 20_000;

/** With --chaos, the server is killed this often. */
const KILL_EVERY_MS = 1_500;

/** The stream may hold this many orders: more than there are units on sale. */
const STREAM_LENGTH_MAX = 10_000;

/**
 * What the stream and its cashiers have to account for.
 * @typedef {object} StreamBooks
 * @property {import('./admission-desk.js').AdmittedOrder[]} admitted  acknowledged by the server of the stream
 * @property {import('./cashier.js').HandledOrder[]} handled
 * @property {number} left         entries in the stream at the end
 * @property {number} deadLetters
 * @property {number} again        how often an order was handed out again
 * @property {number} kills        how often the server was killed
 */

/** @typedef {import('sluice/redis').NodeRedisClient & { del(keys: string[]): Promise<unknown> }} StreamClient */

/**
 * Takes the orders that find no room in the queue: it charges the limiter, reserves the units, and stores the order in
 * a Redis stream, whose cashiers decide it.
 */
export class StreamTill {
  #sale;
  /** @type {StreamServer | undefined} */
  #server;
  #client;
  #queue;
  #cashier;
  /** @type {NodeJS.Timeout | undefined} */
  #chaos;
  /** @type {Promise<void>} */
  #restarting = Promise.resolve();
  #stream;
  /** @type {Map<number, Promise<import('./answers.js').Answer>>} the first answer to each order of the stream, by id */
  #answers = new Map();
  /** @type {import('./admission-desk.js').AdmittedOrder[]} */
  #admitted = [];

  /**
   * @param {import('./sale.js').Sale} sale
   * @param {string} redis   the URL of a server, or 'spawn'
   * @param {boolean} chaos  whether to kill a server that was spawned
   */
  static async open(sale, redis, chaos) {
    const server = redis === 'spawn' ? new StreamServer() : undefined;
    try {
      await server?.start();
      const url = server?.url ?? redis;
      const client = createClient({ url, disableOfflineQueue: true });
      client.on('error', () => {}); // pushes try again, and say in the end why they failed
      await client.connect();
      return new StreamTill(sale, { server, client, url, chaos });
    } catch (error) {
      await server?.stop();
      throw error;
    }
  }

  /**
   * @param {import('./sale.js').Sale} sale
   * @param {{ server: StreamServer | undefined, client: StreamClient, url: string, chaos: boolean }} to
   */
  constructor(sale, { server, client, url, chaos }) {
    this.#sale = sale;
    this.#server = server;
    this.#client = client;
    this.#stream = `flash-sale:{${randomBytes(6).toString('hex')}}:orders`;
    this.#queue = new RedisQueue({
      ...{ redis: nodeRedis(client), stream: this.#stream, record: StreamedOrder, id: 'orderId' },
      maxLength: STREAM_LENGTH_MAX,
    });
    /** @type {WorkerThread<import('./stream-cashier.js').StreamCashierBooks>} */
    this.#cashier = new WorkerThread('./stream-cashier.js', {
      ...{ stock: sale.stock.handle, url, stream: this.#stream },
    });
    if (chaos && server !== undefined) {
      this.#chaos = setInterval(() => {
        this.#restarting = this.#restarting.then(() => server.restart());
      }, KILL_EVERY_MS);
    }
  }

  /** What the page of `--dashboard` shows of the stream: the workers of its group run in the cashier's thread. */
  get shown() {
    const redis = nodeRedis(this.#client);
    const { queue, stream } = { queue: this.#queue, stream: this.#stream };
    return { queue, workers: new RedisWorkers({ redis, stream, record: StreamedOrder, group: GROUP }) };
  }

  /** The thread of the cashier, and the process of a server that was spawned. */
  get workers() {
    const pid = this.#server?.pid;
    return {
      'cashier of the stream': this.#cashier.thread,
      ...(pid !== undefined && { 'redis-server': pid }),
    };
  }

  get ready() {
    return this.#cashier.ready;
  }

  /**
   * @param {import('./order-schema.js').OrderRequest} order
   * @returns {Promise<import('./answers.js').Answer>}
   */
  async answer(order) {
    const { id, user, sku, quantity } = order;
    const known = this.#answers.get(id);
    if (known === undefined) {
      const decision = this.#sale.limiter.tryAcquire();
      if (!decision.allowed) return answerToAdmission({ outcome: 'rate-limited', ...decision });
    }
    const admittedAt = monotonicMs();
    const reserved = this.#sale.stock.reserve({ sku, quantity, user, id });
    if (!reserved.ok)
      return answerToAdmission(/** @type {any} */ ({ ...reserved, outcome: reserved.reason }));
    if (reserved.duplicate) {
      const { reservation, state } = reserved;
      if (state !== 'held' && state !== 'confirmed') {
        return answerToAdmission({ outcome: 'already-ended', reservation, state });
      }
      const first = await known; // undefined: the order went through the gate
      return first === undefined || first.status === 202 ? admitted(reservation, true) : first;
    }
    const streamed = { orderId: id, user, sku, quantity, reservation: reserved.reservation, admittedAt };
    const answer = this.#push(streamed);
    this.#answers.set(id, answer);
    answer.catch(() => {}); // its caller hears of it, and so does a retry
    return answer;
  }

  /**
   * @param {import('sluice').Infer<typeof StreamedOrder>} order
   * @returns {Promise<import('./answers.js').Answer>}
   */
  async #push(order) {
    // From here on the units are promised: the cashier of the stream may be quicker than the answer of the server.
    const { orderId: id, user, sku, quantity } = order;
    const reservation = String(order.reservation);
    const entry = { reservation, id, user, sku, quantity, admittedBy: monotonicMs() };
    try {
      await this.#queue.push(order, { timeoutMs: PUSH_MS });
    } catch (error) {
      this.#sale.stock.cancel(order.reservation);
      throw error;
    }
    this.#admitted.push(entry);
    return admitted(order.reservation, false);
  }

  /**
   * Waits until the cashiers have decided all orders of the stream.
   * @returns {Promise<StreamBooks>}
   */
  async close() {
    clearInterval(this.#chaos);
    await this.#restarting;
    while ((await this.#queue.depth().catch(() => 1)) > 0) {
      await Promise.race([sleep(20), this.#cashier.result]); // rejects if the cashier has ended with an error
    }
    this.#cashier.stop();
    const { handled, again, stats } = await this.#cashier.result;
    const left = await this.#queue.depth();
    const kills = this.#server?.kills ?? 0;
    return { admitted: this.#admitted, handled, left, deadLetters: stats.deadLetters, again, kills };
  }

  async terminate() {
    clearInterval(this.#chaos);
    await this.#restarting.catch(() => {});
    await this.#cashier.terminate();
    // What the sale has left on a server that is not its own: the ids are forgotten by themselves.
    await this.#client.del([this.#stream, `${this.#stream}:dead`]).catch(() => {});
    this.#client.destroy();
    await this.#server?.stop();
  }
}

/**
 * @param {bigint} reservation
 * @param {boolean} duplicate
 * @returns {import('./answers.js').Answer}
 */
function admitted(reservation, duplicate) {
  const body = { outcome: 'admitted', reservation: String(reservation), duplicate };
  return { status: 202, outcome: duplicate ? 'admitted before' : 'admitted', body };
}
