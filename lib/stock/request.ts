import { stockLimits } from '../binding/index.js';
import { Options } from '../input/index.js';
import { type CartLine, summed } from './cart.js';
import { checkedKey, checkedSku, type LedgerKey, textMax } from './staging.js';

/** The user and the id of a reservation, and how long it is held. */
export interface CartOptions {
  /**
   * The user: a whole number from 0 to 2^53 - 1, a bigint from 0n to 2^64 - 1, or a text of 1 to 64 bytes of UTF-8. `1`
   * and `1n` are the same user, `'1'` is another. Needed where an item has a per-user limit or is in a group. Texts are
   * compared octet by octet: 'é' in two Unicode normal forms is two users, unless `text.normalize()` makes them one.
   */
  readonly user?: LedgerKey | undefined;
  /**
   * The client's id: as `user`, but a text has up to 256 bytes. A repetition with the same id, items, quantities and
   * user gets the answer of the first request: see `Stock.reserve`.
   */
  readonly id?: LedgerKey | undefined;
  /** How long the units are held: as the option of `Stock.create`, for this reservation. */
  readonly holdMs?: number | undefined;
}

/** The options of `Stock.reserve`: one item and its quantity, the user, the id, and how long the units are held. */
export interface ReserveOptions extends CartLine, CartOptions {}

/** A request to a stock, checked. */
export interface CheckedRequest {
  readonly lines: readonly CartLine[];
  readonly user: LedgerKey | undefined;
  readonly id: LedgerKey | undefined;
  readonly holdMs: number | undefined;
  readonly isCart: boolean;
}

/** Checks the request of one item. @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming the option. */
export function checkedReserve(where: string, request: unknown): CheckedRequest {
  const given = new Options(where, request, ['sku', 'quantity', 'user', 'id', 'holdMs']);
  const sku = checkedSku(`${where}: sku`, given.get('sku'));
  const quantity = given.integer('quantity', 1, stockLimits.quantity);
  return { lines: [{ sku, quantity }], ...checkedCaller(where, given), isCart: false };
}

/** Checks the request of a cart. @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming the option. */
export function checkedCart(where: string, lines: unknown, options: unknown): CheckedRequest {
  const given = new Options(where, options, ['user', 'id', 'holdMs']);
  return { lines: summed(where, lines), ...checkedCaller(where, given), isCart: true };
}

function checkedCaller(where: string, given: Options): Pick<CheckedRequest, 'user' | 'id' | 'holdMs'> {
  return {
    user: given.has('user') ? checkedKey(`${where}: user`, given.get('user'), textMax.user) : undefined,
    id: given.has('id') ? checkedKey(`${where}: id`, given.get('id'), textMax.id) : undefined,
    holdMs: given.has('holdMs') ? given.number('holdMs', 1, stockLimits.holdMs) : undefined,
  };
}
