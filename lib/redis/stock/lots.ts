import { performance } from 'node:perf_hooks';
import type { Complete } from '../../input/index.js';
import { type CartLine, holdMsMax, Stock, sellUntil } from '../../stock/index.js';
import { countsIn, list, noReply } from '../client/index.js';
import { itemsMax } from './items.js';
import { skuKey } from './keys.js';
import type { LeaseOptions } from './options.js';

/** How much of the newest demand counts in the smoothed demand. */
const weight = 0.3;
/** Demand is measured over at least so many milliseconds. */
const measureMs = 10;
/** A process leases what the demand of the last moments takes in this time, in milliseconds. */
const aheadMs = 100;
/** Units that were wanted so long ago, in milliseconds, are given back no more: the demand is over. */
const wantedMs = 1_000;
/** The most lines of orders whose units can be kept at the same time. */
const reservationsMax = 1_000_000;

/** What this process knows of an item, and has leased of it. */
export interface Lot {
  readonly sku: number | string;
  readonly key: string;
  isClosed: boolean;
  /** Whether, at the last heartbeat, nothing was free, and nothing was left here or kept for an order. */
  isSoldOut: boolean;
  /** Whether units that other processes have leased may come back: then a refusal is not for good. */
  isLeasedElsewhere: boolean;
  /** Units asked for since the demand was measured. */
  asked: number;
  /** The smoothed demand, in units a millisecond. */
  rate: number;
  measuredAt: number;
  /** The sums since this process registered. */
  granted: number;
  returned: number;
}

/** Units kept for an order. */
export interface Kept {
  /** The reservation in the local ledger. */
  readonly reservation: bigint;
  /** The lease that they are of. */
  readonly lease: number;
}

/**
 * The units that this process has leased. They lie in a local ledger, which decides orders; what is decided is settled
 * on the server.
 */
export class Lots {
  readonly #lots = new Map<number | string, Lot>();
  /** Items of which something was asked, or is leased: those that a heartbeat is about. */
  readonly #active = new Set<Lot>();
  readonly #lease: Complete<LeaseOptions> | undefined;
  readonly #local: Stock;
  /** Counts leases: units that were kept in an earlier one are not this process's any more. */
  #number = 0;

  constructor(lease: Complete<LeaseOptions> | undefined) {
    this.#lease = lease;
    this.#local = Stock.create({
      ...{ items: [], maxItems: itemsMax, maxReservations: reservationsMax },
      holdMs: holdMsMax, // units are kept until their order is settled
      ...{ maxUsers: 1, maxIds: 1, movements: 0 },
    });
  }

  get(sku: number | string): Lot | undefined {
    return this.#lots.get(sku);
  }

  /** Makes an item known, so that units of it can be leased. Of more than `itemsMax` items none is leased. */
  add(sku: number | string): void {
    if (this.#lots.has(sku) || this.#lots.size >= itemsMax) return;
    const lot: Lot = {
      ...{ sku, key: skuKey(sku), isClosed: false, isSoldOut: false, isLeasedElsewhere: false },
      ...{ asked: 0, rate: 0, measuredAt: performance.now(), granted: 0, returned: 0 },
    };
    this.#lots.set(sku, lot);
    this.#local.addItem({ sku, quantity: 0 });
  }

  /** Counts what an order asks for, so that enough is leased. */
  asks(lot: Lot, quantity: number): void {
    if (lot.asked === 0 && !this.#active.has(lot)) {
      this.#active.add(lot);
      lot.measuredAt = performance.now();
    }
    lot.asked += quantity;
  }

  /** Keeps the units of an order, if this process has all of them; otherwise returns undefined. */
  keep(lines: readonly CartLine[]): Kept | undefined {
    if (this.#lease === undefined) return undefined;
    if (!lines.every(({ sku }) => this.#lots.has(sku))) return undefined;
    const answer = this.#local.reserveAll(lines);
    return answer.ok ? { reservation: answer.reservation, lease: this.#number } : undefined;
  }

  isOfThisLease(kept: Kept): boolean {
    return kept.lease === this.#number;
  }

  /** The server has taken the units that were kept. */
  sold(kept: Kept): void {
    this.#local.confirm(kept.reservation);
  }

  /** The order did not take the units that were kept. */
  putBack(kept: Kept, lines: readonly CartLine[]): void {
    this.#local.cancel(kept.reservation);
    if (this.isOfThisLease(kept)) return;
    for (const { sku, quantity } of lines) this.#local.withdraw(sku, quantity);
  }

  /** Gives back all units of these items that are not kept for an order, with the next call. */
  giveBack(items: Iterable<Pick<Lot, 'sku'>>): void {
    for (const { sku } of items) {
      const lot = this.#lots.get(sku);
      const left = lot && this.#left(lot);
      if (lot !== undefined && left !== undefined && left > 0)
        lot.returned += this.#local.withdraw(sku, left);
    }
  }

  /** Gives back everything that is not kept for an order. */
  giveBackAll(): void {
    this.giveBack(this.#active);
  }

  /** Whether a unit is leased, or was asked for since the last heartbeat. */
  get isBusy(): boolean {
    return this.#active.size > 0;
  }

  /** Returns the items of a call, with the arguments for each. */
  wishes(): { lots: readonly Lot[]; given: ReadonlyArray<string | number> } {
    const lots = [...this.#active];
    return { lots, given: lots.flatMap((lot) => [lot.key, this.#wanted(lot), lot.returned]) };
  }

  #wanted(lot: Lot): number {
    return this.#lease === undefined ? 0 : Math.max(0, this.#target(lot) - this.#left(lot));
  }

  #left(lot: Lot): number {
    return this.#local.counts(lot.sku).available;
  }

  /** How many units this process should have: what the demand takes in some time; none without demand. */
  #target(lot: Lot): number {
    const now = performance.now();
    const passed = now - lot.measuredAt;
    if (passed >= measureMs) {
      lot.rate = (1 - weight) * lot.rate + weight * (lot.asked / passed);
      lot.asked = 0;
      lot.measuredAt = now;
    }
    const { maxBlock } = this.#lease as Complete<LeaseOptions>;
    return lot.rate < 1e-3 ? 0 : Math.min(maxBlock, Math.ceil(lot.rate * aheadMs));
  }

  /**
   * Takes what the server has said of these items, in answer to a call that was sent at `sentAt`, a time of
   * `bootTimeMs()`: that clock goes on while the machine is suspended, as the server's does. Returns whether units are
   * to be given back at once.
   */
  heard(lots: readonly Lot[], said: unknown, sentAt: number): boolean {
    const rows = list(said);
    if (rows.length !== lots.length) throw noReply('a list for each item');
    let mustGive = false;
    for (const [i, lot] of lots.entries()) {
      const [granted, free, leased, , closed] = countsOf(rows[i]);
      const wanted = Number(list(rows[i])[3]);
      this.#grant(lot, granted);
      if (this.#lease !== undefined) {
        const { ttlMs, marginMs } = this.#lease;
        sellUntil(this.#local, lot.sku, sentAt + ttlMs - marginMs);
      }
      lot.isClosed = closed === 1;
      const { available: left, reserved: kept } = this.#local.counts(lot.sku);
      // The server may refuse an order for which units are kept.
      lot.isSoldOut = this.#lease !== undefined && free === 0 && left === 0 && kept === 0;
      lot.isLeasedElsewhere = leased > 0;
      const spare = left - (lot.isClosed || this.#lease === undefined ? 0 : this.#target(lot));
      if (spare > 0 && (lot.isClosed || (wanted >= 0 && wanted < wantedMs))) {
        lot.returned += this.#local.withdraw(lot.sku, spare);
        mustGive = true;
      }
      if (left === 0 && lot.asked === 0 && lot.rate < 1e-3) this.#rests(lot);
    }
    return mustGive;
  }

  /** No heartbeat is about the item any more, so what was heard of it is soon true no more. */
  #rests(lot: Lot): void {
    this.#active.delete(lot);
    lot.isSoldOut = false;
    lot.isClosed = false;
  }

  #grant(lot: Lot, granted: number): void {
    const got = granted - lot.granted;
    lot.granted = granted;
    if (got > 0) this.#local.restock(lot.sku, got);
    // The server has lost a grant.
    if (got < 0) this.#local.withdraw(lot.sku, -got);
  }

  /** The lease is over, or another one: nothing that is left here is this process's any more. */
  lost(): void {
    this.#number++;
    for (const lot of this.#lots.values()) {
      const left = this.#left(lot);
      if (left > 0) this.#local.withdraw(lot.sku, left);
      lot.granted = 0;
      lot.returned = 0;
    }
  }

  /** The server does not answer: what it said last may be true no more. */
  unknown(): void {
    for (const lot of this.#active) lot.isSoldOut = false;
  }

  dispose(): void {
    this.#local[Symbol.dispose]();
  }
}

function countsOf(
  row: unknown,
): [granted: number, free: number, leased: number, wanted: number, closed: number] {
  const given = list(row);
  // -1: nobody wants units.
  const counts = countsIn([given[0], given[1], given[2], 0, given[4]], 5);
  return counts as [number, number, number, number, number];
}
