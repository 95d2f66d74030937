import { constructorError } from '../errors.js';
import type { Resolution } from '../stock/index.js';

/**
 * Confirms or cancels an order in hand, by its entry, or else a reservation.
 * @internal
 */
export type Resolve = (
  confirm: boolean,
  entry: number | undefined,
  reservation: bigint | undefined,
) => Resolution;

/** An admitted order's reservation in the hands of its handler. */
export class Hold {
  /** The reservation; undefined if the gate has no stock, or the record was pushed past the gate. */
  readonly reservation: bigint | undefined;
  /**
   * How often the order has been handed out, this time included: 1, or more if a consumer that had it in hand before
   * ended without deciding it. That one may have done all of the work but the last step.
   */
  readonly deliveries: number;
  readonly #resolve: Resolve;
  #entry: number | undefined;
  #decided = false;

  /** @internal `entry`: where the gate keeps the order until it is decided. */
  constructor(reservation: bigint | undefined, deliveries: number, entry: number, resolve: Resolve) {
    if (typeof resolve !== 'function') {
      throw constructorError('Hold', 'what consume() of a gate hands out');
    }
    this.reservation = reservation;
    this.deliveries = deliveries;
    this.#entry = entry;
    this.#resolve = resolve;
  }

  /**
   * Sells what is held, now instead of when the handler returns: 'confirmed'; or 'expired' if the hold ran out, or
   * what it became before. The order is decided with that: it is not handed out again, whatever becomes of the
   * handler.
   */
  confirm(): Resolution {
    return this.#decide(true);
  }

  /** Puts what is held back on sale, now instead of by throwing: 'cancelled', or what it became before. */
  cancel(): Resolution {
    return this.#decide(false);
  }

  /** Whether the handler has decided. */
  get decided(): boolean {
    return this.#decided;
  }

  #decide(confirm: boolean): Resolution {
    const resolution = this.#resolve(confirm, this.#entry, this.reservation);
    this.#entry = undefined;
    this.#decided = true;
    return resolution;
  }
}
