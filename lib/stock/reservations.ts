import { alive, answers, finds, type NativeReservation, type NativeStock, phases } from '../binding/index.js';
import { bare, Options, optionError } from '../input/index.js';
import { withJson } from '../json.js';
import { type ReservationState, stateName } from './answers.js';
import {
  checkedKey,
  checkedReservation,
  checkedSku,
  type LedgerKey,
  type StockStaging,
  textMax,
} from './staging.js';

/** A reservation as the ledger knows it. In JSON its bigints are decimal strings; a user up to 2^53 - 1 is a number. */
export interface FoundReservation {
  /** Names the reservation. */
  readonly reservation: bigint;
  /**
   * The state of the reservation. From its deadline on, a reservation that is held has the state 'expired'. Another
   * thread may change the state at once.
   */
  readonly state: Exclude<ReservationState, 'unknown'>;
  /** The time left of its hold, in milliseconds; 0 if it is not held. */
  readonly expiresInMs: number;
  /** The user of the reservation, if one was given: a text, or a bigint for a number. */
  readonly user?: bigint | string;
  /**
   * The client's id, if there was one: a bigint for a number, or a text of up to 56 bytes. A longer text is not kept.
   */
  readonly id?: bigint | string;
  /** Its items. */
  readonly lines: readonly FoundLine[];
}

/** One item of a reservation. */
export interface FoundLine {
  /** The item. */
  readonly sku: number | string;
  /** Units of the item that the reservation holds, or held until it ended. */
  readonly quantity: number;
  /**
   * Units of the item that were bought with the reservation and not returned by it. A return by user leaves this number
   * as it is.
   */
  readonly sold: number;
}

/** The options of `Stock.find`: one of `reservation`, `id` and `user`, and `sku` only beside `user`. */
export interface FindOptions {
  /** The bigint of the reservation, or its decimal string. */
  readonly reservation?: bigint | string | undefined;
  /** The client's id of the reservation. */
  readonly id?: LedgerKey | undefined;
  /** The user whose reservations are to be found. */
  readonly user?: LedgerKey | undefined;
  /** Beside `user`: only reservations that have this item. */
  readonly sku?: number | string | undefined;
}

/** Which reservations `Stock.reservations` lists. */
export interface ReservationFilter {
  /** The states to list. Default: all of them. */
  readonly state?: FoundReservation['state'] | ReadonlyArray<FoundReservation['state']> | undefined;
  /** Only reservations that have this item. Default: all. */
  readonly sku?: number | string | undefined;
  /** Only reservations of this user. Default: all. */
  readonly user?: LedgerKey | undefined;
  /** The most to list: 1 to 2^53 - 1. Default: no limit. */
  readonly limit?: number | undefined;
  /** Lists only reservations after this one, the last of an earlier listing. */
  readonly after?: bigint | string | undefined;
}

/** The states that are listed: a free place is no reservation. */
const { unknown: _, ...states } = phases;

const FoundAnswer: new (native: NativeReservation) => FoundReservation = withJson(
  class implements FoundReservation {
    declare readonly reservation: bigint;
    declare readonly state: FoundReservation['state'];
    declare readonly expiresInMs: number;
    declare readonly user?: bigint | string;
    declare readonly id?: bigint | string;
    declare readonly lines: readonly FoundLine[];
    constructor(found: NativeReservation) {
      const { reservation, state, leftMs, user, id, lines } = bare(found);
      this.reservation = reservation;
      this.state = stateName(state) as FoundReservation['state'];
      this.expiresInMs = leftMs;
      if (user !== undefined) this.user = user;
      if (id !== undefined) this.id = id;
      this.lines = lines;
    }
  },
);

/** Looks for reservations in a ledger. */
export class ReservationFinder {
  readonly #native: NativeStock;
  readonly #staging: StockStaging;
  readonly #slots: number;

  constructor(native: NativeStock, staging: StockStaging) {
    this.#native = native;
    this.#staging = staging;
    this.#slots = native.slots;
  }

  find(by: unknown): FoundReservation | FoundReservation[] | undefined {
    const where = 'Stock.find';
    const given = new Options(where, by, ['reservation', 'id', 'user', 'sku']);
    const [key, ...others] = ['reservation', 'id', 'user'].filter((name) => given.has(name));
    if (key === undefined) throw optionError(where, 'reservation, id or user', by, true);
    if (key !== 'user' && given.has('sku')) others.push('sku');
    const [other] = others; // undefined if there is none, whatever Array.prototype has
    if (other !== undefined) {
      throw optionError(`${where}: ${other}`, `undefined (beside ${key})`, given.get(other), true);
    }
    if (key === 'user') return [...this.list({ user: given.get('user'), sku: given.get('sku') }, where)];
    this.#staging.begin();
    if (given.has('id')) {
      this.#staging.id(checkedKey(`${where}: id`, given.get('id'), textMax.id));
    } else {
      this.#staging.reservation = checkedReservation(`${where}: reservation`, given.get('reservation'));
    }
    const found = alive(where, this.#native.findReservation(given.has('id') ? finds.id : finds.reservation));
    return found === undefined ? undefined : new FoundAnswer(found);
  }

  /** Checks the filter at once, and reads the ledger as the answer is iterated. */
  list(filter: unknown, where: string): Generator<FoundReservation, void, undefined> {
    const given = new Options(where, filter, ['state', 'sku', 'user', 'limit', 'after']);
    const sku = given.has('sku') ? checkedSku(`${where}: sku`, given.get('sku')) : undefined;
    const user = given.has('user')
      ? checkedKey(`${where}: user`, given.get('user'), textMax.user)
      : undefined;
    const limit = given.has('limit') ? given.integer('limit', 1, Number.MAX_SAFE_INTEGER) : Infinity;
    // The lower 32 bits of a reservation's bigint are its place in the table, counted from 1: so they are the index of
    // the next place.
    const from = given.has('after')
      ? Number(BigInt.asUintN(32, checkedReservation(`${where}: after`, given.get('after'))))
      : 0;
    const bits = statesOf(where, given.get('state'));
    // Looks at no place, but throws at once if there is no such item.
    this.#page(where, this.#slots, 0, sku, user);
    return this.#pages(where, from, bits, sku, user, limit);
  }

  *#pages(
    where: string,
    from: number,
    bits: number,
    sku: number | string | undefined,
    user: LedgerKey | undefined,
    limit: number,
  ): Generator<FoundReservation, void, undefined> {
    let left = limit;
    for (let slot = from; slot < this.#slots; ) {
      const { next, found } = this.#page(where, slot, bits, sku, user);
      slot = next;
      for (const one of found) {
        yield new FoundAnswer(one);
        if (--left <= 0) return;
      }
    }
  }

  #page(
    where: string,
    slot: number,
    bits: number,
    sku: number | string | undefined,
    user: LedgerKey | undefined,
  ): { readonly next: number; readonly found: readonly NativeReservation[] } {
    const staging = this.#staging;
    staging.begin();
    staging.user(user);
    staging.sku(sku);
    const answer = this.#native.listReservations(slot, bits);
    if (answer === answers.unknownSku) throw optionError(`${where}: sku`, 'the sku of an item', sku, false);
    return alive(where, answer);
  }
}

function statesOf(where: string, given: unknown): number {
  if (given === undefined) return 0xff;
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  let bits = 0;
  for (const state of list) {
    if (typeof state !== 'string' || !Object.hasOwn(states, state)) {
      const expected = `${Object.keys(states)
        .map((name) => `'${name}'`)
        .join(', ')}, or a list of these`;
      throw optionError(`${where}: state`, expected, given, typeof given !== 'string');
    }
    bits |= 1 << states[state as FoundReservation['state']];
  }
  return bits;
}
