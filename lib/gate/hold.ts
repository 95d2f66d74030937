import type { Resolution } from '../stock/index.js';

/**
 * Confirms or cancels a reservation; `leaves` says that the order is no longer in flight, which is so once.
 * @internal
 */
export type Resolve = (reservation: bigint | undefined, confirm: boolean, leaves: boolean) => Resolution;

/** An admitted order's reservation in the hands of its handler. */
export class Hold {
  /** The reservation; undefined if the gate has no stock, or the record was pushed past the gate. */
  readonly reservation: bigint | undefined;
  readonly #resolve: Resolve;
  #inFlight: boolean;
  #decided = false;

  /** @internal `admitted`: not pushed past the gate, so the limiter counts it in flight. */
  constructor(reservation: bigint | undefined, admitted: boolean, resolve: Resolve) {
    this.reservation = reservation;
    this.#inFlight = admitted;
    this.#resolve = resolve;
  }

  /**
   * Sells what is held, now instead of when the handler returns: 'confirmed'; or 'expired' if the hold ran out, or
   * what it became before.
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
    const leaves = this.#inFlight;
    this.#inFlight = false;
    this.#decided = true;
    return this.#resolve(this.reservation, confirm, leaves);
  }
}
