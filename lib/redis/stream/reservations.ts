import { reportUnconfirmed } from '../../gate/index.js';
import { holdMsMax, type Resolution } from '../../stock/index.js';
import { faultOf, retryMs, sleep } from '../client/index.js';
import type { RedisStock } from '../stock/index.js';

/** An order in hand, with its reservation. */
export interface WithReservation {
  readonly order: unknown;
  /** Undefined: the order was pushed, not admitted by a gate. */
  readonly reservation: bigint | undefined;
  /** What the reservation has become, as far as the server has said so; undefined while it is held. */
  standing: Resolution | undefined;
}

/** The stock of the workers, and how long it holds a reservation unless told otherwise. */
export interface StockOfWorkers {
  readonly stock: RedisStock;
  readonly holdMs: number;
}

/** Whether the stock is closed, or its server refuses its commands for good. */
export function isFinal(error: unknown): boolean {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: unknown };
  return code === 'ERR_SLUICE_DISPOSED' || (code === 'ERR_SLUICE_REDIS' && faultOf(cause) === 'final');
}

/** Decides and renews the reservations of orders in hand. Without a stock it does nothing. */
export class Reservations {
  readonly #of: StockOfWorkers | undefined;
  readonly #claimIdleMs: number;
  readonly #fault: (error: unknown) => Promise<void>;
  readonly #giveUp: AbortSignal;

  /** `fault` is called with each error of a call; no call is made again after `giveUp` aborts. */
  constructor(
    of: StockOfWorkers | undefined,
    claimIdleMs: number,
    fault: (error: unknown) => Promise<void>,
    giveUp: AbortSignal,
  ) {
    this.#of = of;
    this.#claimIdleMs = claimIdleMs;
    this.#fault = fault;
    this.#giveUp = giveUp;
  }

  /** How often orders in hand must be renewed so that no hold runs out, in milliseconds. */
  get renewMs(): number {
    return this.#of === undefined ? Infinity : Math.max(10, this.#of.holdMs / 2);
  }

  has({ reservation }: WithReservation): boolean {
    return this.#of !== undefined && reservation !== undefined;
  }

  /**
   * Holds the reservation for as long as it takes to notice that this process has died, and `holdMs` more for the next
   * one; `moreMs`: and so much longer. Never rejects.
   */
  async extend(one: WithReservation, moreMs = 0): Promise<void> {
    if (this.#of === undefined || one.reservation === undefined || one.standing !== undefined) return;
    const { stock, holdMs } = this.#of;
    try {
      const ms = Math.min(holdMsMax, holdMs + this.#claimIdleMs + moreMs);
      const resolution = await stock.extend(one.reservation, ms);
      // A server that has lost a reservation may be told of it again.
      if (resolution !== 'extended' && resolution !== 'unknown') one.standing = resolution;
    } catch (error) {
      await this.#fault(error);
    }
  }

  /**
   * Confirms or cancels, until the server has answered: then the entry may be acknowledged. Returns the answer;
   * undefined if none came before the end.
   */
  async decide(one: WithReservation, decision: 'confirmed' | 'cancelled'): Promise<Resolution | undefined> {
    const { reservation, order } = one;
    if (this.#of === undefined || reservation === undefined) return decision;
    const { stock } = this.#of;
    for (let failures = 0; !this.#giveUp.aborted; ) {
      try {
        if (decision === 'cancelled') return await stock.cancel(reservation);
        const resolution = await stock.confirm(reservation);
        reportUnconfirmed(order, reservation, resolution);
        return resolution;
      } catch (error) {
        await this.#fault(error);
        if (isFinal(error)) return undefined;
        await sleep(retryMs(++failures), this.#giveUp);
      }
    }
    return undefined;
  }

  /** Cancels what a dead letter holds. `digits`: its reservation, '' for none. If the call fails its hold runs out. */
  async release(digits: string): Promise<void> {
    if (this.#of === undefined || !/^\d{1,20}$/.test(digits)) return;
    try {
      await this.#of.stock.cancel(digits);
    } catch (error) {
      await this.#fault(error);
    }
  }
}
