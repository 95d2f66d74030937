import { gateLimits, type NativeFields } from '../binding/index.js';
import { adviceError, bare, Options, optionError } from '../input/index.js';
import { type Key, Limiter } from '../limiter/index.js';
import { insideQueue, Queue } from '../queue/index.js';
import type { RecordType } from '../record/index.js';
import { type CartLine, nativeStock, Stock, whyUsers } from '../stock/index.js';
import { type PartFields, partField, parts } from './parts.js';

/** The options of `Gate.create`. */
export interface GateOptions<T> {
  /**
   * The queue that admitted orders go to. It has one lane, and at most one gate. A queue with the overflow 'overwrite'
   * takes an order even if it is full: the gate then cancels the reservation of the oldest order in the queue.
   */
  readonly queue: Queue<T>;
  /** Absent: no limit. A limiter with keys needs a `key` in each `admit`. */
  readonly limiter?: Limiter | undefined;
  /** Absent: nothing is reserved. */
  readonly stock?: Stock | undefined;
  /**
   * The fields of the record that make the request to the stock: `sku` and `quantity`, without which each `admit` needs
   * `lines`; `user`, needed if an item has a per-user limit or is in a group, also one that is added later; `id`, which
   * makes admission idempotent. Types: u8, u16, u32, u53, u64; all but `quantity` may also be utf8. A utf8 `sku` names
   * items whose sku is a text, and no others. Whatever room a utf8 field has, a `sku` is 1 to 32 bytes long, a `user`
   * 1 to 64 and an `id` 1 to 256.
   */
  readonly fields?: PartFields<T> | undefined;
  /**
   * Room for orders that a consumer has taken and not decided: 1 to 65,536. Default: 1,024. The `concurrency` of
   * `consume` cannot exceed it. Each place takes the record's bytes and 64 more, once it is first used.
   */
  readonly maxInHand?: number | undefined;
  /**
   * Makes all of the gate's own memory (not its parts') resident at creation, so that it cannot run out later: a system
   * that has too little refuses it, or ends the process, at creation. This takes some tenths of a second for each
   * gigabyte. Default: false; then creation takes only address space, and a page becomes resident when it is first
   * written.
   */
  readonly commit?: boolean | undefined;
}

/** The options of `Gate.admit`: what an order has besides its record. */
export interface AdmitOptions {
  /** The key whose limit applies, as for `Limiter.allow`. Needed if the limiter has keys, and allowed only then. */
  readonly key?: Key | undefined;
  /** How long the reservation is held, in milliseconds: 1 to 86,400,000. Default: the stock's `holdMs`. */
  readonly holdMs?: number | undefined;
  /**
   * A cart in place of the record's own sku and quantity: 1 to 64 lines, all reserved under one reservation, or none,
   * as for `Stock.reserveAll`. The queue carries the record only: a handler that must know the lines needs them, or a
   * reference to them, in the record.
   */
  readonly lines?: readonly CartLine[] | undefined;
}

/** The options of `Gate.consume`. */
export interface GateConsumeOptions {
  /** The most orders taken from the queue at once: 1 to 64. Default: 32. */
  readonly batchSize?: number | undefined;
  /**
   * The most handlers that run at the same time: 1 to the gate's `maxInHand`. Default: 1, which keeps the order of
   * admission.
   */
  readonly concurrency?: number | undefined;
  /**
   * How long a handler may take, in milliseconds: 1 to 2,147,483,647. Default: no limit. A handler that takes longer
   * has failed: `hold.signal` aborts with SluiceError `ERR_SLUICE_TIMEOUT`, the order is cancelled unless it is decided
   * by then, and what the handler returns is ignored.
   */
  readonly handlerTimeoutMs?: number | undefined;
  /**
   * How long a consumption that ends early waits for the handlers that run, in milliseconds: 0 to 2,147,483,647, or
   * Infinity. Default: 10,000. The next consumer gets the orders whose handlers have not ended by then.
   */
  readonly graceMs?: number | undefined;
  /** Ends the consumption: see `consume`. */
  readonly signal?: AbortSignal | undefined;
}

export interface CheckedGate<T> {
  readonly parts: { queue: Queue<T>; limiter: Limiter | undefined; stock: Stock | undefined };
  readonly fields: NativeFields;
  readonly maxInHand: number;
  readonly commit: boolean;
}

export function checkedGate<T>(where: string, options: GateOptions<T>): CheckedGate<T> {
  const given = new Options(where, options, ['queue', 'limiter', 'stock', 'fields', 'maxInHand', 'commit']);
  const { queue, limiter, stock } = given.own as Partial<GateOptions<T>>;
  if (!(queue instanceof Queue)) throw optionError(`${where}: queue`, 'a Queue', queue, true);
  const { lanes } = insideQueue(queue).native; // a program can replace the getter of the queue object
  if (lanes > 1) throw optionError(`${where}: queue`, 'a Queue of one lane', `${lanes} lanes`, true);
  if (limiter !== undefined && !(limiter instanceof Limiter)) {
    throw optionError(`${where}: limiter`, 'a Limiter', limiter, true);
  }
  if (stock !== undefined && !(stock instanceof Stock))
    throw optionError(`${where}: stock`, 'a Stock', stock, true);
  const fields = stockFields(where, queue.record, given, stock);
  return {
    parts: { queue, limiter, stock },
    fields,
    maxInHand: given.integer('maxInHand', 1, gateLimits.inHand, 1_024),
    commit: given.boolean('commit', false),
  };
}

function stockFields<T>(
  where: string,
  record: RecordType<T>,
  options: Options,
  stock: Stock | undefined,
): NativeFields {
  const fields = options.nested('fields', parts);
  if (stock === undefined) {
    if (fields !== undefined) {
      throw optionError(`${where}: fields`, 'undefined (the gate has no stock)', options.get('fields'), true);
    }
    return {};
  }
  const result: NativeFields = bare({}); // without a prototype, whose setters would get the values
  const ofOneItem = fields?.has('sku') || fields?.has('quantity');
  for (const part of parts) {
    const name = fields?.get(part);
    const needed =
      ((part === 'sku' || part === 'quantity') && ofOneItem) ||
      (part === 'user' && nativeStock(stock).limitsUsers() === 1);
    if (name === undefined && !needed) continue;
    if (name === undefined && part === 'user')
      throw adviceError(`${where}: fields: user`, 'the name of a field', `because ${whyUsers(stock)}`);
    result[part] = partField(where, part, record, name);
  }
  return result;
}

/** Returns the options of an order. Reads plain options as they are: `Options` copies them, which takes longer. */
export function checkedAdmit(where: string, options: AdmitOptions): AdmitOptions {
  return isPlain(options)
    ? options
    : (new Options(where, options, ['key', 'holdMs', 'lines']).own as AdmitOptions);
}

/** False where a flag of Node.js has removed `__proto__`, or makes it throw. */
const hasProto = ((): boolean => {
  try {
    const { __proto__: inherited } = Object.create(Object.prototype) as { readonly __proto__?: unknown };
    return inherited === Object.prototype;
  } catch {
    return false;
  }
})();

/**
 * Whether `options` is a plain object with no other properties than the known options: then `Options` need not copy it.
 */
function isPlain(options: AdmitOptions): boolean {
  if (options === null || !hasProto) return false;
  // Not Object.getPrototypeOf, which is slower. The loop below finds an own property `__proto__`.
  const { __proto__: inherited } = options as { readonly __proto__?: unknown };
  let plain = typeof options === 'object' && inherited === Object.prototype;
  for (const name in options) {
    plain &&= (name === 'key' || name === 'holdMs' || name === 'lines') && Object.hasOwn(options, name);
  }
  return plain;
}

/** Returns the option `holdMs` of an order. */
export function checkedHoldMs(where: string, holdMs: unknown): number {
  return new Options(where, { holdMs }, ['holdMs']).number('holdMs', 1, gateLimits.holdMs);
}

/** Returns the option `holdMs` of an order in nanoseconds. */
export function checkedHoldNs(holdMs: unknown): number {
  return Math.round(checkedHoldMs('Gate.admit', holdMs) * 1e6);
}
