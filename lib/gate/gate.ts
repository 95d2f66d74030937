import {
  Attachment,
  admitted,
  arrays,
  checkedAnswer,
  checkedHandle,
  disposed,
  gateStaging,
  type Handle,
  isMaker,
  limited,
  type Maker,
  Memory,
  made,
  maker,
  type NativeFields,
  type NativeGate,
  type NativeLimiter,
  type NativeParts,
  type NativeQueue,
  type NativeStock,
  native,
  publicHandle,
} from '../binding/index.js';
import { bare, constructorError, isOurs, Options, optionError } from '../input/index.js';
import { attachLimiter, type Key, type Limiter, nativeLimiter, takesKey } from '../limiter/index.js';
import {
  type AttachOptions,
  attachQueue,
  insideQueue,
  type OverflowLayer,
  type Queue,
  type QueueInside,
} from '../queue/index.js';
import type { RecordType } from '../record/index.js';
import {
  attachStock,
  type CartLine,
  type LedgerKey,
  nativeStock,
  type Stock,
  stageLines,
  summed,
} from '../stock/index.js';
import { type Admission, Admitted, limitedBy, ofThePast, queueFull, refusedFor } from './admission.js';
import { badField, missingOption } from './admit-errors.js';
import { DurableAdmission } from './durable.js';
import type { Hold } from './hold.js';
import { isHeard, publishAdmission } from './notices.js';
import {
  type AdmitOptions,
  checkedAdmit,
  checkedGate,
  checkedHoldNs,
  type GateConsumeOptions,
  type GateOptions,
} from './options.js';
import { OrderLoop } from './order-loop.js';
import { halves, whatOrPart, words } from './staging.js';
import { type GateStats, statsOf } from './stats.js';

/** Names a gate to other threads, and with it its queue, limiter and stock. Survives structured clone. */
export type GateHandle = Handle<'gate'>;

const what = 'Gate';

/** The parts of a gate object, for other modules of lib/: see `QueueInside`. */
export interface GateInside<T> {
  readonly loop: OrderLoop<T>;
  readonly maxInHand: number;
  /** The stock that the gate was made with. */
  readonly stock: Stock | undefined;
}
/** Returns undefined if `gate` is no gate of this copy of sluice. */
export let insideGate: <T>(gate: Gate<T>) => GateInside<T> | undefined;

/**
 * Limiter, stock and queue as one step: an order is charged, reserved and queued, or none of these. All threads of the
 * process share a gate: any number of them admit orders, and one consumes them.
 */
export class Gate<T> implements Disposable {
  /** The queue that admitted orders go to. */
  readonly queue: Queue<T>;
  /** The limiter that is charged; undefined without one. */
  readonly limiter: Limiter | undefined;
  /** The ledger that units are reserved in; undefined without one. */
  readonly stock: Stock | undefined;
  readonly #native: NativeGate;
  readonly #attachment: Attachment<'gate'>;
  /** The producer of the queue that the gate was made with, whatever a program sets `queue` to. */
  readonly #producer: QueueInside<T>['producer'];
  /** The stock that the gate was made with, whatever a program sets `stock` to. */
  readonly #ledger: Stock | undefined;
  /** Whether the limiter has keys; undefined without a limiter. */
  readonly #keyed: boolean | undefined;
  /** The native function `admit`, in a field of its own, where V8 finds it faster. */
  readonly #admit: NativeGate['admit'];
  /** Writes an order's record into the staging of this thread's queue object, where native `admit` reads it. */
  readonly #stage: (order: T) => void;
  /** An option that every `admit` needs, so that a call without options fails; undefined if none is needed. */
  readonly #needed: 'key' | 'lines' | undefined;
  readonly #fields: NativeFields;
  readonly #numbers: Float64Array;
  readonly #bigints: BigUint64Array;
  readonly #halves: Int32Array;
  readonly #loop: OrderLoop<T>;
  /** The layer behind the queue's ring, in the thread that created the queue with one; undefined elsewhere. */
  readonly #layer: QueueInside<T>['layer'];
  readonly #durable: DurableAdmission<T> | undefined;

  private constructor(
    by: Maker,
    parts: { queue: Queue<T>; limiter: Limiter | undefined; stock: Stock | undefined },
    fields: NativeFields,
    attach: (staging: ArrayBuffer) => NativeGate,
  ) {
    if (!isMaker(by)) throw constructorError('Gate', 'Gate.create() or Gate.attach()');
    const staging = new Memory(gateStaging.bytes);
    this.queue = parts.queue;
    this.limiter = parts.limiter;
    this.stock = parts.stock;
    this.#fields = bare(fields); // an inherited property is no field
    this.#numbers = new arrays.Float64Array(staging);
    this.#bigints = new arrays.BigUint64Array(staging);
    this.#halves = new arrays.Int32Array(staging);
    this.#native = attach(staging);
    this.#attachment = new Attachment('gate', this, this.#native);
    this.#admit = this.#native.admit;
    const { producer, consumer, layer } = insideQueue(parts.queue);
    this.#producer = producer;
    this.#ledger = parts.stock;
    const byHand = parts.stock !== undefined && nativeStock(parts.stock).manualClock;
    this.#loop = new OrderLoop(consumer, this.#native, staging, !byHand, layer);
    this.#stage = (order) => producer.stage(order);
    this.#keyed = parts.limiter && nativeLimiter(parts.limiter).keyed;
    this.#needed = this.#keyed
      ? 'key'
      : parts.stock !== undefined && this.#fields.sku === undefined
        ? 'lines'
        : undefined;
    this.#layer = layer;
    try {
      this.#durable = layer && this.#durableOver(layer, staging);
    } catch (error) {
      this.#native.dispose();
      throw error;
    }
  }

  /**
   * Creates a gate over a queue and, if given, a limiter and a stock.
   *
   * @param options The queue, and the limiter and the stock if there are any; which fields of a record are the sku,
   *   the quantity, the user and the id.
   * @returns The gate.
   * @throws TypeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option, or if the parts have different
   *   clocks; SluiceError `ERR_SLUICE_GATED` if the queue has a gate already, `ERR_SLUICE_MEMORY`.
   * @example
   * const gate = Gate.create({
   *   queue,
   *   limiter,
   *   stock,
   *   fields: { sku: 'sku', quantity: 'quantity', user: 'user', id: 'orderId' },
   * });
   */
  static create<T>(options: GateOptions<T>): Gate<T> {
    const where = 'Gate.create';
    const { parts, fields, maxInHand, commit } = checkedGate(where, options);
    const { queue, limiter, stock } = parts;
    const natives = nativeParts(queue, limiter, stock);
    return new Gate(maker, parts, fields, (staging) =>
      made(where, native.createGate(natives, fields, maxInHand, staging, Number(commit))),
    );
  }

  /**
   * Attaches to the gate of another thread by its handle, and to its queue, limiter and stock. If the queue's overflow
   * policy is 'caller', `onOverflow` is needed for records that this thread pushes past the gate, as for
   * `Queue.attach`.
   *
   * @param record The type of its orders.
   * @param handle The `handle` of the gate.
   * @param options `onOverflow`, needed if the queue's overflow policy is 'caller'.
   * @returns This thread's object for the same gate.
   * @throws as `Queue.attach`.
   * @example
   * const gate = Gate.attach(Order, workerData.gate);
   */
  static attach<T>(record: RecordType<T>, handle: GateHandle, options?: AttachOptions<T>): Gate<T> {
    const where = 'Gate.attach';
    const checked = checkedHandle(where, 'gate', handle);
    const handles = bare(made(where, native.gateParts(checked))); // an inherited property is no part
    const attached: Disposable[] = [];
    const own = <Part extends Disposable>(part: Part): Part => {
      attached.push(part);
      return part;
    };
    try {
      const queue = own(attachQueue(where, record, publicHandle('queue', handles.queue), options));
      const limiter = handles.limiter && own(attachLimiter(where, handles.limiter));
      const stock = handles.stock && own(attachStock(where, handles.stock));
      const parts = nativeParts(queue, limiter, stock);
      return new Gate(maker, { queue, limiter, stock }, handles.fields, (staging) =>
        made(where, native.attachGate(checked, parts, staging)),
      );
    } catch (error) {
      for (const part of attached) part[Symbol.dispose](); // frees their thread slots for other threads
      throw error;
    }
  }

  /** Names the gate, and with it its parts, to other threads: survives structured clone. */
  get handle(): GateHandle {
    return this.#attachment.handle;
  }

  /**
   * Admits an order: charges the limiter, reserves units in the stock and pushes the record to the queue, in one native
   * call; or does none of these, and returns the reason. A refusal because of too few units or a full queue charges
   * nothing. If the order has no id, such a refusal usually writes only a counter of this thread, so that the refusals
   * of many threads do not slow each other down.
   *
   * With an id field, an order that comes again gets the earlier answer. While its reservation is held, or once it is
   * sold, the answer is 'admitted' with the same reservation, `duplicate`, and its present `state`. If the reservation
   * was cancelled, has expired, or has ended so long ago that the ledger does not know how, the answer is
   * 'already-ended': no handler can confirm the order any more. If the stock refused the order for good (see
   * `Stock.reserve`), the answer is 'already-failed'. After any other refusal the order may be tried again. An order of
   * a restored stock is in no queue. When it comes again, it is charged and queued, once, under its reservation, which
   * is then held as long as a new one (`requeued`).
   *
   * Taking the units is the last step that can fail, so that no other order is refused as 'sold-out' because of an
   * order that is then refused itself. The exception is a cart whose later lines fail: see `Stock.reserveAll`. While an
   * order is refused, a limit or a queue may seem to other threads, for tens of nanoseconds, to have room for one order
   * less.
   *
   * While the queue is closed, every order is refused with 'closed', also one that was admitted before. While orders
   * of this thread wait in the store of the queue's overflow, every order is refused with 'queue-full': see
   * `admitDurably`.
   *
   * @param order The order: a value for each field of the record.
   * @param options `key` (needed if the limiter has keys), `holdMs`, and `lines` of a cart.
   * @returns The `outcome`, with its details.
   * @throws TypeError, RangeError: `ERR_SLUICE_FIELD` naming a field with a bad value, `ERR_SLUICE_OPTION` naming a
   *   bad, missing or unknown option; SluiceError `ERR_SLUICE_DISPOSED`.
   * @example
   * const admission = gate.admit({ orderId: 1n, sku: 7, quantity: 1, user: 42 });
   * if (admission.outcome !== 'admitted') response.writeHead(409).end(admission.outcome);
   */
  admit(order: T, options?: AdmitOptions): Admission {
    const admission = this.#decide(order, options);
    if (isHeard()) publishAdmission(this, order, admission);
    return admission;
  }

  /**
   * Admits an order as `admit` does, but where its queue spills (see `spill` of `sluice/overflow`), and the ring should
   * not or cannot take the order, its units are reserved, and the promise is resolved when the order is durable in the
   * store. If the store cannot keep it, its units go back on sale, and its place in flight comes back; what the other
   * tiers of the limiter have charged stays charged.
   *
   * An order that is durable is handed out at least once, also by a later process: that one admits it again when it
   * creates the gate, before all later orders. There, an order that its stock confirmed or cancelled before (in a
   * restored stock) is not handed out again; one that the gate now refuses is published on the diagnostics channel
   * `sluice:overflow:refused`, and forgotten. An order in the ring only is lost with its process.
   *
   * The hold of an order runs on while it waits in the store, and is not renewed there: `holdMs` must be long enough.
   *
   * @param order The order: a value for each field of the record.
   * @param options `key` (needed if the limiter has keys), and `holdMs`.
   * @returns A promise of the `outcome`, with its details; 'queue-full' if the store is full, too.
   * @throws as `admit`; TypeError (`ERR_SLUICE_OPTION`) if the queue object does not spill, or the order is a cart;
   *   SluiceError `ERR_SLUICE_STORE_FAILED`, and others of `Store.open`, if the store cannot keep the order.
   * @example
   * const admission = await gate.admitDurably({ orderId: 1n, sku: 7, quantity: 1, user: 42 });
   */
  async admitDurably(order: T, options?: Omit<AdmitOptions, 'lines'>): Promise<Admission> {
    const where = 'Gate.admitDurably';
    if (this.#durable === undefined) {
      throw optionError(where, 'a gate over a queue that this thread created with spill()', undefined, true);
    }
    const given = new Options(where, options, ['key', 'holdMs']);
    const key = given.get('key');
    if (!takesKey(key, this.#keyed === true)) throw missingOption('Gate.admit', 'key', key, this.#keyed);
    if (this.#needed === 'lines') throw missingOption('Gate.admit', 'lines', undefined, this.#keyed);
    const holdNs = given.has('holdMs') ? checkedHoldNs(given.get('holdMs')) : 0;
    const admission = await this.#durable.admit(order, key as Key | undefined, holdNs);
    if (isHeard()) publishAdmission(this, order, admission);
    return admission;
  }

  /**
   * Hands admitted orders to `handler`, oldest first, until the queue is closed and drained. When `handler` returns (or
   * its promise resolves), the reservation is confirmed. When it throws, the reservation is cancelled, and the failure
   * is published on the diagnostics channel `sluice:gate:handler-failed`. A handler can decide earlier by its `hold`;
   * that decision is final.
   *
   * Each order is handed out at least once. The gate keeps an order in hand until it is decided. If the consumer's
   * thread ends before that, in any way, the next call of `consume`, in any thread, gets these orders first, in the
   * order of their admission, with `hold.deliveries` above 1. A handler with effects outside of sluice must therefore
   * name them such that a repetition is recognized: by the order's id or its reservation. If no thread consumes any
   * more, holds run out, and the units go back on sale.
   *
   * While a handler runs, or an order in hand waits for one, its hold is renewed when half of it is over (unless the
   * stock has a manual clock: see `renew`): by a timer of this thread, which does not keep the process alive, and
   * between two handlers. Handlers that compute therefore let no hold run out, unless one of them blocks the thread for
   * half of a hold. A decided order is not renewed, nor are the orders of a thread that has ended. A hold that ran out
   * all the same, or while the order waited in the queue, cannot be confirmed: its units are on sale again. A handler
   * that must not act in vain calls `hold.confirm()` before it acts; an order that cannot be confirmed after its
   * handler is published on `sluice:gate:not-confirmed`.
   *
   * The units of an order that the queue drops (because its time is over, or it is shed, dropped as the oldest, or
   * overwritten) go back on sale when it is dropped. A caller that takes orders directly from a queue that has a gate
   * (`tryPop`, `drain`, ...) must confirm or cancel the reservation that `admit` returned, which runs out otherwise,
   * and must call `limiter.release` if the limiter has a depth tier.
   *
   * A handler that takes longer than `handlerTimeoutMs` has failed: `hold.signal` aborts, and unless the order is
   * decided by then, it is cancelled and published as a failure. The result of that handler is ignored.
   *
   * When `signal` aborts, no more handlers are started, and the `hold.signal` of each running handler aborts with its
   * reason. The promise rejects with that reason when these handlers have ended, but after `graceMs` at the latest.
   * Then the thread is no longer the consumer. Orders that no handler was given go to the next call of `consume` in
   * their order, as if they had not been taken. So do the orders of handlers that were still running; their holds
   * decide nothing any more. When the gate object is disposed of, another one can consume at once, and gets all
   * undecided orders.
   *
   * @param handler Called with each order and its hold.
   * @param options `concurrency`, `handlerTimeoutMs`, `graceMs` and `signal`.
   * @returns A promise that is resolved when the queue is closed and drained.
   * @throws SluiceError `ERR_SLUICE_CONSUMER` if another thread consumes, `ERR_SLUICE_DISPOSED` if the gate or a part
   *   of it is disposed of while an order is handled; TypeError, RangeError (`ERR_SLUICE_OPTION`).
   * @example
   * await gate.consume(async (order, hold) => {
   *   await charge(order, hold.reservation);
   * }, { concurrency: 16 });
   */
  async consume(handler: (order: T, hold: Hold) => unknown, options?: GateConsumeOptions): Promise<void> {
    if (this.#attachment.disposed) throw disposed(what);
    await this.#loop.consume(handler, options);
  }

  /**
   * Renews each hold of this thread's orders in hand that is half over, or nearly so. Unless the stock has a manual
   * clock, the gate also does this by itself.
   *
   * @returns Milliseconds until the next hold must be renewed; Infinity if none must.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the gate is disposed of in this thread.
   * @example
   * const nextMs = gate.renew();
   */
  renew(): number {
    return checkedAnswer(whatOrPart, this.#native.renew());
  }

  /**
   * Returns counters of outcomes since creation, over all threads.
   *
   * @returns The counters: see `GateStats`.
   * @throws SluiceError `ERR_SLUICE_DISPOSED` once the gate is disposed of in this thread.
   * @example
   * const { admitted, soldOut } = gate.stats();
   */
  stats(): GateStats {
    return statsOf(what, this.#native, this.#numbers);
  }

  /**
   * Disposes of the gate in this thread, at once, but not of its queue, limiter and stock. Other threads keep the gate.
   */
  [Symbol.dispose](): void {
    this.#attachment.dispose(() => this.#loop.leave(disposed(what)));
  }

  #decide(order: T, options: AdmitOptions | undefined): Admission {
    // Later orders do not overtake those that wait in the store.
    if (this.#layer !== undefined && this.#layer.holding > 0) return queueFull;
    if (options !== undefined) return this.#admitWith(order, options);
    if (this.#needed !== undefined) throw missingOption('Gate.admit', this.#needed, undefined, this.#keyed);
    this.#stage(order);
    this.#admit();
    return this.#answered(undefined);
  }

  #admitWith(order: T, options: AdmitOptions): Admission {
    const { key, holdMs, lines } = checkedAdmit('Gate.admit', options);
    const keyed = this.#keyed === true;
    if (!takesKey(key, keyed)) throw missingOption('Gate.admit', 'key', key, this.#keyed);
    const holdNs = holdMs === undefined ? 0 : checkedHoldNs(holdMs);
    const cart = lines === undefined ? undefined : this.#cart(lines);
    if (cart === undefined && this.#ledger !== undefined && this.#fields.sku === undefined) {
      throw missingOption('Gate.admit', 'lines', undefined, this.#keyed);
    }
    this.#stage(order);
    // After the record: its getters may have admitted another order, which staged its own lines.
    if (cart !== undefined && this.#ledger !== undefined) stageLines(this.#ledger, cart);
    const count = cart?.length ?? 0;
    if (keyed) this.#native.admitWith(holdNs, count, key as Key);
    else this.#native.admitWith(holdNs, count);
    return this.#answered(cart);
  }

  #durableOver(layer: OverflowLayer<T>, staging: ArrayBuffer): DurableAdmission<T> {
    return new DurableAdmission<T>(
      {
        native: this.#native,
        staging,
        stock: this.#ledger,
        keyed: this.#keyed === true,
        knows: (order) => {
          const name = this.queue.record.fieldAt(this.#fields.id?.offset);
          if (name === undefined) return false;
          const { [name]: id } = order as { readonly [name: string]: LedgerKey };
          return this.#ledger?.find({ id: id as LedgerKey }) !== undefined;
        },
        stage: this.#stage,
        admit: (order, key, holdNs) => {
          this.#stage(order);
          if (key === undefined) this.#native.admitWith(holdNs, 0);
          else this.#native.admitWith(holdNs, 0, key);
          return this.#answered(undefined);
        },
        admitAside: (order, key, holdNs) => {
          this.#stage(order);
          if (key === undefined) this.#native.admitAside(holdNs, 0);
          else this.#native.admitAside(holdNs, 0, key);
          return this.#halves[halves.answer] as number;
        },
        otherwise: (answer) => this.#otherwise(answer, undefined),
      },
      layer,
    );
  }

  #cart(lines: readonly CartLine[]): CartLine[] {
    if (this.#ledger !== undefined) return summed('Gate.admit', lines);
    throw optionError('Gate.admit: lines', 'undefined (the gate has no stock)', lines, true);
  }

  /** Returns the admission for the answer that native code has just put into the staging buffer. */
  #answered(cart: readonly CartLine[] | undefined): Admission {
    const answer = this.#halves[halves.answer] as number;
    if (answer === admitted) return new Admitted(this.#bigints[words.reservation] as bigint, false, 'held');
    return this.#otherwise(answer, cart);
  }

  /**
   * Returns the admission for an answer other than `admitted`: one of `outcomes` or `reserveResults`, or `limited` plus
   * the limiter's refusal. Throws if the answer reports an error, or a field with a bad value.
   */
  #otherwise(answer: number, cart: readonly CartLine[] | undefined): Admission {
    if (answer > limited) return limitedBy(answer, this.#numbers[words.retryAfterMs] as number);
    const refusal = refusedFor(answer, cart?.[this.#halves[2 * words.line] as number]);
    if (refusal !== undefined) return refusal;
    const earlier = ofThePast(answer, this.#bigints[words.reservation] as bigint);
    if (earlier !== undefined) return earlier;
    checkedAnswer(whatOrPart, answer);
    throw badField(answer, this.queue.record, this.#fields, this.#producer.staged());
  }

  static {
    insideGate = (gate) => {
      if (typeof gate !== 'object' || gate === null || !(#loop in gate)) return undefined;
      return { loop: gate.#loop, maxInHand: gate.#native.maxInHand, stock: gate.#ledger };
    };
  }
}
isOurs(Gate);

/** The native objects of a gate's parts. */
function nativeParts(
  queue: Queue<unknown>,
  limiter: Limiter | undefined,
  stock: Stock | undefined,
): NativeParts<NativeQueue, NativeLimiter, NativeStock> {
  return {
    queue: insideQueue(queue).native,
    limiter: limiter && nativeLimiter(limiter),
    stock: stock && nativeStock(stock),
  };
}
