import { stockLimits } from '../binding/index.js';
import { constructorError, Options, SluiceError } from '../input/index.js';
import type { Call } from '../queue/index.js';
import type { Resolution } from '../stock/index.js';

/**
 * Confirms (`quantity` units; 0: all) or cancels the order in hand at `entry`, or `reservation` if `entry` is
 * undefined.
 * @internal
 */
export type Resolve = (
  confirm: boolean,
  entry: number | undefined,
  reservation: bigint | undefined,
  quantity: number,
) => Resolution;

/** What a hold needs of the call of its handler. @internal */
export type HandlerCall = Pick<Call, 'signal' | 'isGivenUp'>;

/**
 * An order in hand, which its handler can decide. `gate.consume`, the crew of `dispatch` and `RedisWorkers` give it to
 * their handlers.
 */
export class Hold {
  /** The reservation; undefined without a gate, without a stock, or if the record was pushed past the gate. */
  readonly reservation: bigint | undefined;
  /**
   * How often the order has been handed out, this time included: 1, or more if a consumer, or a worker of a crew, that
   * had it in hand before ended without deciding it. That one may have done all of the work but the last step. A crew
   * also hands out orders again whose handler failed. An order from the store of an overflow counts each earlier
   * process that had taken it from there.
   */
  readonly deliveries: number;
  readonly #resolve: Resolve;
  /** The order's index in the gate's table of orders in flight; undefined once it is decided or put back. */
  #entry: number | undefined;
  #decided = false;
  #expired = false;
  #call: HandlerCall | undefined;

  /** @internal `entry`: the order's index in the gate's table of orders in flight (in_flight_table.h). */
  constructor(reservation: bigint | undefined, deliveries: number, entry: number, resolve: Resolve) {
    if (typeof resolve !== 'function') {
      throw constructorError('Hold', 'the hold that a handler is given');
    }
    this.reservation = reservation;
    this.deliveries = deliveries;
    this.#entry = entry;
    this.#resolve = resolve;
  }

  /**
   * Aborts when the handler should end soon. The reason is SluiceError `ERR_SLUICE_TIMEOUT` when `handlerTimeoutMs` are
   * over, the reason of the signal given to `consume` or `run`, the error that ended `consume`, or
   * `ERR_SLUICE_DISPOSED`. In a worker of a crew it aborts only when `handlerTimeoutMs` are over. The signal is made
   * when it is first read.
   */
  get signal(): AbortSignal {
    return (this.#call as HandlerCall).signal;
  }

  /**
   * Sells the units that are held, now instead of when the handler returns. With `quantity`, sells that many units of
   * an order of one item; the other units go back on sale. The order is then decided: it is not handed out again, even
   * if the handler fails later.
   *
   * @param options `quantity`: how many units of an order of one item. Default: all.
   * @returns 'confirmed'; 'expired' if the hold ran out, if the handler's time is over (`handlerTimeoutMs`), or if the
   *   handler has failed: the call comes too late, and decides nothing; otherwise what the reservation had become
   *   before. After a handler that returned without a decision that is 'already-confirmed'.
   * @throws SluiceError `ERR_SLUICE_CONSUMER` if the consumption ended without waiting for this handler: the order may
   *   be another handler's by now; `ERR_SLUICE_DISPOSED`; TypeError, RangeError (`ERR_SLUICE_OPTION`), also for a
   *   quantity greater than the reservation holds, and for any quantity of a cart: then nothing is decided.
   * @example
   * if (hold.confirm() === 'confirmed') await ship(order);
   */
  confirm(options?: { readonly quantity?: number }): Resolution {
    if (options === undefined) return this.#decide(true, 0);
    const given = new Options('Hold.confirm', options, ['quantity']);
    return this.#decide(true, given.has('quantity') ? given.integer('quantity', 1, stockLimits.quantity) : 0);
  }

  /**
   * Puts the held units on sale again, without the handler having to throw.
   *
   * @returns 'cancelled', 'expired' as `confirm`, or what the reservation had become before.
   * @throws as `confirm`.
   * @example
   * if (!(await isPaid(order))) hold.cancel();
   */
  cancel(): Resolution {
    return this.#decide(false, 0);
  }

  /**
   * In JSON the reservation is a decimal string, which `stock.confirm` and `cancel` accept.
   *
   * @returns The reservation as a decimal string, if there is one, and the deliveries.
   * @throws Nothing.
   * @example
   * log.info(JSON.stringify({ order, hold }));
   */
  toJSON(): {
    /** The reservation as a decimal string; absent if there is none. */
    reservation?: string;
    /** As `deliveries` of the hold. */
    deliveries: number;
  } {
    const { reservation, deliveries } = this;
    return reservation === undefined ? { deliveries } : { reservation: String(reservation), deliveries };
  }

  /** Whether the handler, or the gate, has decided the order by this hold. */
  get decided(): boolean {
    return this.#decided;
  }

  /** @internal Called just before the order's handler is called. */
  begin(call: HandlerCall): void {
    this.#call = call;
  }

  /** @internal Called when the handler has failed or its time is over: it decides nothing any more. */
  expire(): void {
    this.#expired = true;
  }

  /** @internal Puts the order, which no handler was given, back in the gate. */
  putBack(put: (entry: number) => void): void {
    if (this.#entry !== undefined) put(this.#entry);
    this.#entry = undefined;
  }

  #decide(confirm: boolean, quantity: number): Resolution {
    if (this.#expired) return 'expired';
    if (!this.#decided && this.#call?.isGivenUp) {
      throw new SluiceError(
        'ERR_SLUICE_CONSUMER',
        'Hold: this handler is not waited for any more; the order may be handed out again',
      );
    }
    const resolution = this.#resolve(confirm, this.#entry, this.reservation, quantity);
    this.#entry = undefined;
    this.#decided = true;
    return resolution;
  }
}
