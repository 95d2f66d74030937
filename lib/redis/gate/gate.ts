import {
  type AdmitOptions,
  checkedAdmit,
  checkedHoldMs,
  isHeard,
  missingOption,
  publishAdmission,
} from '../../gate/index.js';
import { constructorError, SluiceError } from '../../input/index.js';
import type { Denied, Key, Limiter } from '../../limiter/index.js';
import { type CartLine, summed } from '../../stock/index.js';
import type { RedisDenied, RedisLimiter } from '../limiter/index.js';
import type { RedisStock, Request, StreamEntry } from '../stock/index.js';
import type { RedisQueue } from '../stream/index.js';
import { admissionOf, type RedisAdmission, refusedFor } from './admission.js';
import { checkedKey } from './charging.js';
import { checkedParts, type Parts, type RedisGateOptions } from './options.js';
import { Counters, type RedisGateStats } from './stats.js';

const onlyCreated = Symbol('RedisGate.create');
const unavailable = refusedFor('unavailable', 0);

/**
 * Limiter, stock and stream as one step, for any number of processes and machines: an order is charged, reserved and
 * added to the stream, or none of these. Its answers are those of `Gate`, as promises; `RedisWorkers` with the same
 * stock handle the orders.
 */
export class RedisGate<T> {
  /** The stock that units are reserved in. */
  readonly stock: RedisStock;
  /** The limiter that is charged; undefined without one. */
  readonly limiter: Limiter | RedisLimiter | undefined;
  /** The queue that admitted orders go to; undefined without one. */
  readonly queue: RedisQueue<T> | undefined;
  readonly #parts: Parts<T>;
  readonly #counters = new Counters();
  #pending = 0;
  #isClosed = false;
  #idle: (() => void) | undefined;

  private constructor(by: symbol, options: RedisGateOptions<T>, parts: Parts<T>) {
    if (by !== onlyCreated) throw constructorError('RedisGate', 'RedisGate.create()');
    this.#parts = parts;
    this.stock = options.stock;
    this.limiter = options.limiter;
    this.queue = options.queue;
  }

  /**
   * Makes a gate over a stock and, if given, a limiter and a queue. Sends nothing yet.
   *
   * @param options The stock, and the limiter and the queue if there are any; which fields of an order are the sku, the
   *   quantity, the user and the id.
   * @returns The gate.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option.
   * @example
   * const redisGate = RedisGate.create({
   *   stock: redisStock,
   *   queue: redisQueue,
   *   fields: { sku: 'sku', quantity: 'quantity', user: 'user', id: 'orderId' },
   * });
   */
  static create<T>(options: RedisGateOptions<T>): RedisGate<T> {
    return new RedisGate(onlyCreated, { ...options }, checkedParts('RedisGate.create', options));
  }

  /**
   * Returns the refusal that `admit` would resolve to, if this process knows it without asking a server; otherwise
   * undefined. It admits nothing and charges nothing, makes no promise, and takes some hundred nanoseconds. Call it
   * before `admit` where most orders are refused. Unlike `admit` it does not make an id stay refused, and returns
   * undefined for an order with a bad value.
   *
   * @param order The order.
   * @param options As for `admit`.
   * @returns The refusal, or undefined.
   * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option; SluiceError
   *   `ERR_SLUICE_DISPOSED` after `close`.
   * @example
   * const refusal = redisGate.refusal(order);
   * const admission = refusal ?? (await redisGate.admit(order));
   */
  refusal(order: T, options?: AdmitOptions): RedisAdmission | undefined {
    const where = 'RedisGate.refusal';
    const { stock, charging, fields } = this.#open;
    let key: Key | undefined;
    let cart: readonly CartLine[] | undefined;
    if (options !== undefined) ({ key, cart } = this.#optionsOf(where, options));
    else this.#needsNone(where);
    const wanted = fields.wanted(order, cart);
    if (wanted === undefined) return undefined;
    const { lines, user, id } = wanted;
    const request = { lines, user, id, holdMs: 0, isCart: cart !== undefined, entry: undefined };
    const known = stock.refusal(request, false);
    if (known !== undefined) return this.#answer(order, refusedFor(known.reason, known.line, request));
    // An order that was admitted before gets its answer although the limiter refuses others.
    const denied = charging.known(key);
    if (denied === undefined || (id !== undefined && stock.isAccepted(id))) return undefined;
    return this.#answer(order, limitedBy(denied));
  }

  /**
   * Admits an order: charges the limiter, reserves units in the stock and adds the order to the stream; or does none of
   * these, and returns the reason. The promise is resolved when the server has settled the order, or at once for a
   * refusal that this process knows. Stock and stream are changed by one script, so an order is in the stream if and
   * only if its units are reserved. A refusal because of too few units or a full stream charges nothing.
   *
   * With an id field, an order that comes again gets the earlier answer, on whichever machine: see `Gate.admit`. While
   * the limiter refuses, it does so as soon as this process has heard of the first one; before that it is
   * 'rate-limited'. A process hears of it with its next call of the server: within `lease.heartbeatMs` of the stock
   * while it sells, within a third of `lease.ttlMs` otherwise.
   *
   * 'unavailable': no answer came within the `timeoutMs` of the stock or the limiter, or too many calls wait. The order
   * may be admitted or not, or be so later: ask again with the same id. An order without an id whose answer comes too
   * late is still handled, if there is a queue. The limiter gets its charge back as soon as it is certain that nothing
   * was reserved.
   *
   * @param order The order: a value for each field of the record.
   * @param options `key` (needed if the limiter has keys), `holdMs`, and `lines` of a cart.
   * @returns A promise of the `outcome`, with its details.
   * @throws (rejects) TypeError, RangeError: `ERR_SLUICE_FIELD` naming a field with a bad value, `ERR_SLUICE_OPTION`
   *   naming a bad, missing or unknown option; SluiceError `ERR_SLUICE_REDIS` if the server refuses the command,
   *   `ERR_SLUICE_DISPOSED` (of a `RedisLimiter` `ERR_SLUICE_CLOSED`) after `close` of the gate or a part of it.
   * @example
   * const admission = await redisGate.admit({ orderId: 1n, sku: 7, quantity: 1, user: 42 });
   * if (admission.outcome !== 'admitted') response.writeHead(409).end(admission.outcome);
   */
  async admit(order: T, options?: AdmitOptions): Promise<RedisAdmission> {
    const parts = this.#open;
    this.#pending++;
    try {
      return this.#answer(order, await this.#decide(parts, order, options));
    } finally {
      this.#pending--;
      if (this.#pending === 0) this.#idle?.();
    }
  }

  /**
   * Returns what this object has answered. The server is not asked.
   *
   * @returns The counts.
   * @throws Nothing.
   * @example
   * const { admitted, soldOut } = redisGate.stats();
   */
  stats(): RedisGateStats {
    return { ...this.#counters.counts, pending: this.#pending };
  }

  /**
   * Ends the gate: waits for the answers of all orders. Later calls are refused with `ERR_SLUICE_DISPOSED`. Stock,
   * limiter and queue stay open.
   *
   * @returns When no order waits any more.
   * @throws Nothing.
   * @example
   * await redisGate.close();
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#pending === 0) return;
    const before = this.#idle;
    await new Promise<void>((resolve) => {
      this.#idle = () => {
        before?.();
        resolve();
      };
    });
  }

  get #open(): Parts<T> {
    if (this.#isClosed) throw new SluiceError('ERR_SLUICE_DISPOSED', 'RedisGate: this object is closed');
    return this.#parts;
  }

  #needsNone(where: string): void {
    const { charging, fields } = this.#parts;
    if (charging.keyed === true) throw missingOption(where, 'key', undefined, true);
    if (fields.needsLines) throw missingOption(where, 'lines', undefined, charging.keyed);
  }

  #optionsOf(
    where: string,
    options: AdmitOptions,
  ): { key: Key | undefined; holdMs: number | undefined; cart: readonly CartLine[] | undefined } {
    const { charging, fields } = this.#parts;
    const { key, holdMs, lines } = checkedAdmit(where, options);
    const checked = checkedKey(where, key, charging);
    const ms = holdMs === undefined ? undefined : checkedHoldMs(where, holdMs);
    if (lines === undefined && fields.needsLines) {
      throw missingOption(where, 'lines', undefined, charging.keyed);
    }
    return { key: checked, holdMs: ms, cart: lines === undefined ? undefined : summed(where, lines) };
  }

  async #decide(
    { stock, charging, queue }: Parts<T>,
    order: T,
    options: AdmitOptions | undefined,
  ): Promise<RedisAdmission> {
    const where = 'RedisGate.admit';
    if (options === undefined) this.#needsNone(where);
    const given = options && this.#optionsOf(where, options);
    const request = this.#requestOf(order, given?.cart, given?.holdMs);
    const known = stock.refusal(request, true);
    if (known !== undefined) return refusedFor(known.reason, known.line, request);
    if (charging.keyed !== undefined) {
      const earlier = await this.#earlier(where, request);
      if (earlier !== undefined) return earlier;
    }
    const charged = charging.charge(given?.key);
    const decision = charged instanceof Promise ? await charged : charged;
    if (decision !== undefined && !decision.allowed) return limitedBy(decision);
    const outcome = await stock.settle(where, request, () => decision?.refund());
    return admissionOf(outcome, request, queue !== undefined);
  }

  #requestOf(order: T, cart: readonly CartLine[] | undefined, holdMs: number | undefined): Request {
    const { stock, queue, fields } = this.#parts;
    let read: unknown = order;
    let entry: StreamEntry | undefined;
    if (queue !== undefined) {
      const { stream, maxLength, form } = queue;
      const written = form.write(order);
      read = written.order; // what workers will read, whatever the getters of the order do
      entry = { stream, maxLength, schema: form.schema, id: written.id, body: written.body };
    }
    const wanted = fields.wanted(read, cart);
    if (wanted === undefined) throw fields.error(read, cart);
    return { ...wanted, holdMs: holdMs ?? stock.plan.holdMs, isCart: cart !== undefined, entry };
  }

  /** Returns the answer to an order that was admitted before, as far as this process has heard, without charging. */
  async #earlier(where: string, request: Request): Promise<RedisAdmission | undefined> {
    const { stock, queue } = this.#parts;
    if (request.id === undefined || !stock.isAccepted(request.id)) return undefined;
    try {
      const outcome = await stock.recall(where, request);
      return outcome && admissionOf(outcome, request, queue !== undefined);
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code === 'ERR_SLUICE_TIMEOUT' || code === 'ERR_SLUICE_WAITERS') return unavailable;
      throw error;
    }
  }

  #answer(order: T, admission: RedisAdmission): RedisAdmission {
    this.#counters.add(admission);
    if (isHeard()) publishAdmission(this, order, admission);
    return admission;
  }
}

function limitedBy({ tier, window, retryAfterMs }: Denied | RedisDenied): RedisAdmission {
  return tier === 'unavailable' ? unavailable : { outcome: 'rate-limited', tier, window, retryAfterMs };
}
