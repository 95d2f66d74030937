import { channel } from 'node:diagnostics_channel';
import { fieldError, optionError } from '../errors.js';
import { Limiter, type Tier, tierName } from '../limiter/index.js';
import {
  alive,
  checkedHandle,
  DISPOSED,
  disposed,
  type GateStats,
  type Handle,
  made,
  type NativeFields,
  type NativeGate,
  native,
  publicHandle,
} from '../native.js';
import { Options } from '../options.js';
import { Queue } from '../queue/index.js';
import type { RecordType } from '../record/index.js';
import { type Refusal, type Resolution, refusalName, resolutionName, Stock } from '../stock/index.js';
import { Hold } from './hold.js';

export type GateHandle = Handle<'gate'>;

/** The fields of a record whose values are whole numbers that the ledger can read. */
type NumberFieldOf<T> = { [K in keyof T]: T[K] extends number | bigint ? K : never }[keyof T] & string;

export interface GateOptions<T> {
  /** What is admitted goes here: a queue of one lane, which has at most one gate. */
  readonly queue: Queue<T>;
  /** Absent: no limit. One without keys. */
  readonly limiter?: Limiter;
  /** Absent: nothing is reserved. */
  readonly stock?: Stock;
  /**
   * Which fields of the record are the request to the stock: `sku` and `quantity` are needed with a stock, `user`
   * where an item has a per-user limit, `id` makes admission idempotent. Types: u8, u16, u32, u53, u64.
   */
  readonly fields?: {
    readonly sku?: NumberFieldOf<T>;
    readonly quantity?: NumberFieldOf<T>;
    readonly user?: NumberFieldOf<T>;
    readonly id?: NumberFieldOf<T>;
  };
}

export type Admission =
  | {
      readonly outcome: 'admitted';
      /** 0n if the gate has no stock. */
      readonly reservation: bigint;
      /** Admitted by an earlier call with this id: nothing was charged, reserved or queued now. */
      readonly duplicate: boolean;
    }
  | {
      readonly outcome: 'rate-limited';
      readonly tier: Tier;
      /** As `Decision.retryAfterMs` of the limiter. */
      readonly retryAfterMs: number;
    }
  | { readonly outcome: Refusal | 'queue-full' | 'closed' };

export interface GateConsumeOptions {
  /** Orders taken from the queue at once: 1 to 1,024. Default: 32. */
  readonly batchSize?: number;
  /** Handlers that run at the same time: 1 to 65,536. Default: 1, which keeps the order of admission. */
  readonly concurrency?: number;
  /** Ends the consumption: see `consume`. */
  readonly signal?: AbortSignal;
}

/** Told of an order whose handler failed: `{ order, error, reservation }`. The reservation is cancelled. */
const failures = channel('sluice:gate:handler-failed');

/** Told of an order that was handled but could not be confirmed: `{ order, reservation, resolution }`. */
const unconfirmed = channel('sluice:gate:not-confirmed');

const what = 'Gate';
const takenMax = 1_024;
/** Words of the staging buffer: see native/addon/gate.h. */
const words = { reservation: 0, retryAfterMs: 1, holdNs: 2, taken: 3 };
/** What stands in the place of a reservation: see `kNoReservation` in native/core/admission.h. */
const pushedPast = 0n;
const noReservation = 0xffff_ffff_ffff_ffffn;
/** `NumberType` in native/core/admission.h. */
const numberTypes: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 3, u53: 4, u64: 5 };
/** Answers of `admit()` beyond those of `reserve()`: `Outcome` in native/core/admission.h. */
const outcomes = { needsUser: 12, queueFull: 17, closed: 18, badQuantity: 19, rateLimited: 32 };

/** Objects whose handle was read: they stay, so that another thread can attach, until disposed of. */
const pinned = new Set<Gate<unknown>>();

/**
 * Limiter, stock and queue as one step: an order is charged, reserved and queued, or nothing happens at all. Shared
 * by all threads of the process: any number admit, one consumes.
 */
export class Gate<T> implements Disposable {
  readonly queue: Queue<T>;
  readonly limiter: Limiter | undefined;
  readonly stock: Stock | undefined;
  readonly #native: NativeGate;
  readonly #fields: NativeFields;
  readonly #numbers: Float64Array;
  readonly #bigints: BigUint64Array;
  readonly #resolve = (reservation: bigint | undefined, confirm: boolean, leaves: boolean): Resolution => {
    this.#bigints[words.reservation] = reservation ?? 0n;
    const result = this.#checked(this.#native.resolve(confirm ? 1 : 0, leaves ? 1 : 0));
    return resolutionName(result, confirm ? 'confirmed' : 'cancelled');
  };

  private constructor(
    parts: { queue: Queue<T>; limiter: Limiter | undefined; stock: Stock | undefined },
    fields: NativeFields,
    attach: (staging: ArrayBuffer) => NativeGate,
  ) {
    const staging = new ArrayBuffer((words.taken + takenMax) * 8);
    this.queue = parts.queue;
    this.limiter = parts.limiter;
    this.stock = parts.stock;
    this.#fields = fields;
    this.#numbers = new Float64Array(staging);
    this.#bigints = new BigUint64Array(staging);
    this.#native = attach(staging);
  }

  /**
   * A new gate over a queue and, if given, a limiter and a stock.
   * @throws TypeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option, or if the parts have different
   *   clocks; SluiceError `ERR_SLUICE_GATED` if the queue has a gate already.
   */
  static create<T>(options: GateOptions<T>): Gate<T> {
    const where = 'Gate.create';
    const given = new Options(where, options, ['queue', 'limiter', 'stock', 'fields']);
    const { queue, limiter, stock } = options ?? {};
    if (!(queue instanceof Queue)) throw optionError(`${where}: queue`, 'a Queue', queue, true);
    if (queue.lanes > 1)
      throw optionError(`${where}: queue`, 'a Queue of one lane', `${queue.lanes} lanes`, true);
    if (limiter !== undefined && !(limiter instanceof Limiter)) {
      throw optionError(`${where}: limiter`, 'a Limiter', limiter, true);
    }
    if (limiter?.keyed) throw optionError(`${where}: limiter`, 'a Limiter without keys', limiter, true);
    if (stock !== undefined && !(stock instanceof Stock))
      throw optionError(`${where}: stock`, 'a Stock', stock, true);
    const fields = stockFields(where, queue.record, given, stock);
    const parts = { queue: queue.native, limiter: limiter?.native, stock: stock?.native };
    return new Gate({ queue, limiter, stock }, fields, (staging) =>
      made(where, native.createGate(parts, fields, staging)),
    );
  }

  /**
   * The gate of another thread, with its queue, limiter and stock, by its handle.
   * @throws as `Queue.attach`.
   */
  static attach<T>(record: RecordType<T>, handle: GateHandle): Gate<T> {
    const where = 'Gate.attach';
    const checked = checkedHandle(where, 'gate', handle);
    const handles = made(where, native.gateParts(checked));
    const queue = Queue.attach(record, publicHandle('queue', handles.queue));
    const limiter = handles.limiter && Limiter.attachNative(handles.limiter);
    const stock = handles.stock && Stock.attachNative(handles.stock);
    const parts = { queue: queue.native, limiter: limiter?.native, stock: stock?.native };
    return new Gate({ queue, limiter, stock }, handles.fields, (staging) =>
      made(where, native.attachGate(checked, parts, staging)),
    );
  }

  /** Names the gate, and with it its parts, to other threads: survives structured clone. */
  get handle(): GateHandle {
    pinned.add(this as Gate<unknown>);
    return publicHandle('gate', this.#native.handle);
  }

  /**
   * Admits an order: allowed by the limiter, reserved in the stock and pushed to the queue, in one native call; or
   * none of it, with the reason. A refusal for want of stock or of room in the queue charges nothing; without an id
   * it writes nothing that other threads read.
   *
   * With an id field, asking again gives the earlier answer: 'admitted' with the same reservation and `duplicate`,
   * or 'already-failed'. `options.holdMs` (1 to 86,400,000): how long the reservation is held, if not as the stock
   * says.
   * @throws TypeError, RangeError: `ERR_SLUICE_FIELD` naming a field with a bad value, `ERR_SLUICE_OPTION`.
   */
  admit(order: T, options?: { readonly holdMs?: number }): Admission {
    let holdNs = 0;
    if (options !== undefined) {
      const given = new Options('Gate.admit', options, ['holdMs']);
      if (given.has('holdMs')) holdNs = Math.round(given.number('holdMs', 1, 86_400_000) * 1e6);
    }
    this.queue.producer.stage(order);
    // After the record, whose getters may have admitted another one.
    this.#bigints[words.holdNs] = holdNs === 0 ? 0n : BigInt(holdNs);
    const answer = this.#native.admit();
    if (answer === 0 || answer === 1) {
      return {
        outcome: 'admitted',
        reservation: this.#bigints[words.reservation] as bigint,
        duplicate: answer === 1,
      };
    }
    if (answer > outcomes.rateLimited) {
      const tier = tierName(answer - outcomes.rateLimited);
      return { outcome: 'rate-limited', tier, retryAfterMs: this.#numbers[words.retryAfterMs] as number };
    }
    if (answer === outcomes.queueFull) return { outcome: 'queue-full' };
    if (answer === outcomes.closed) return { outcome: 'closed' };
    const reason = refusalName(answer);
    if (reason !== undefined) return { outcome: reason };
    this.#checked(answer);
    throw this.#badField(answer);
  }

  /**
   * Handles admitted orders, oldest first, until the queue is closed and drained: when `handler` returns (or its
   * promise resolves), the reservation is confirmed; when it throws, cancelled, and the failure is published on the
   * diagnostics channel `sluice:gate:handler-failed`. `hold` decides earlier; what it decided stands.
   *
   * A hold that runs out before the handler returns cannot be confirmed: its units are on sale again. A handler that
   * must not act in vain calls `hold.confirm()` before it does, or the stock holds for longer than the queue is long;
   * otherwise such an order is published on `sluice:gate:not-confirmed`.
   *
   * When `signal` aborts, nothing more is taken from the queue; orders already taken are handled, then the promise
   * rejects with the signal's reason. The thread is then no longer the consumer.
   * @throws SluiceError `ERR_SLUICE_CONSUMER` if another thread consumes, `ERR_SLUICE_DISPOSED` if the gate or a part of
   *   it is disposed of while an order is handled; TypeError, RangeError (`ERR_SLUICE_OPTION`).
   */
  async consume(handler: (order: T, hold: Hold) => unknown, options?: GateConsumeOptions): Promise<void> {
    if (typeof handler !== 'function')
      throw optionError('Gate.consume: handler', 'a function', handler, true);
    const given = new Options('Gate.consume', options, ['batchSize', 'concurrency', 'signal']);
    const batchSize = given.integer('batchSize', 1, takenMax, 32);
    const concurrency = given.integer('concurrency', 1, 65_536, 1);
    const handle = async ([order, hold]: readonly [T, Hold]): Promise<void> => {
      let failure: { error: unknown } | undefined;
      try {
        await handler(order, hold);
      } catch (error) {
        failure = { error };
      }
      const { reservation } = hold;
      const resolution = hold.decided ? undefined : failure === undefined ? hold.confirm() : hold.cancel();
      if (failure !== undefined && failures.hasSubscribers) {
        failures.publish({ order, error: failure.error, reservation });
      }
      const lost = failure === undefined && resolution !== undefined && resolution !== 'confirmed';
      if (lost && unconfirmed.hasSubscribers) unconfirmed.publish({ order, reservation, resolution });
    };
    await this.queue.consumer.consumeBy(() => this.#take(batchSize), handle, concurrency, given.signal());
  }

  /** Outcomes since creation, over all threads. */
  stats(): GateStats {
    return alive(what, this.#native.stats());
  }

  /** Lets go of the gate in this thread, at once; not of its queue, limiter and stock. Other threads keep it. */
  [Symbol.dispose](): void {
    this.#native.dispose();
    pinned.delete(this as Gate<unknown>);
  }

  #take(max: number): Array<readonly [T, Hold]> {
    const orders: Array<readonly [T, Hold]> = [];
    const count = this.queue.consumer.showing(() => this.#native.take(max), true);
    const taken = this.queue.consumer.taken(count);
    for (let i = 0; i < count; i++) {
      const tag = this.#bigints[words.taken + i] as bigint;
      const reservation = tag === pushedPast || tag === noReservation ? undefined : tag;
      orders.push([taken[i] as T, new Hold(reservation, tag !== pushedPast, this.#resolve)]);
    }
    return orders;
  }

  #badField(answer: number): Error {
    if (answer === outcomes.needsUser) {
      return optionError(
        'Gate.create: fields: user',
        'a field (an item has a limit per user)',
        undefined,
        true,
      );
    }
    const accepts = 'a whole number from 1 to 4294967295';
    const name = this.queue.record.fieldAt(this.#fields.quantity?.offset);
    return fieldError(name ?? 'quantity', accepts, 'one outside of it', false);
  }

  #checked(answer: number): number {
    if (answer === DISPOSED) throw disposed('Gate (or its queue, limiter or stock)');
    return answer;
  }
}

function stockFields<T>(
  where: string,
  record: RecordType<T>,
  options: Options,
  stock: Stock | undefined,
): NativeFields {
  const fields = options.nested('fields', ['sku', 'quantity', 'user', 'id']);
  if (stock === undefined) {
    if (fields !== undefined) {
      throw optionError(`${where}: fields`, 'undefined (the gate has no stock)', options.get('fields'), true);
    }
    return {};
  }
  const result: NativeFields = {};
  for (const part of ['sku', 'quantity', 'user', 'id'] as const) {
    const name = fields?.get(part);
    const needed =
      part === 'sku' || part === 'quantity' || (part === 'user' && stock.native.limitsUsers() === 1);
    if (name === undefined && !needed) continue;
    const field = typeof name === 'string' ? record.fields[name] : undefined;
    const type = numberTypes[field?.type ?? ''];
    const offset = record.offsetOf(String(name));
    if (type === undefined || offset === undefined) {
      const expected = 'the name of a field of type u8, u16, u32, u53 or u64';
      throw optionError(`${where}: fields: ${part}`, expected, name, true);
    }
    result[part] = { type, offset };
  }
  return result;
}
