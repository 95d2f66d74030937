import { channel } from 'node:diagnostics_channel';
import { checkedAnswer, type NativeStock, reserveResults, stockLimits } from '../binding/index.js';
import { Options, optionError } from '../input/index.js';
import {
  AdmittedByGate,
  aboutOneItem,
  type Refused,
  type Reserved,
  ReservedAnswer,
  refusalName,
  stateName,
} from './answers.js';
import { type CartLine, summed } from './cart.js';
import { checkedKey, checkedSku, type LedgerKey, type StockStaging, textMax } from './staging.js';

/** The user and the id of a reservation, and how long it is held. */
export interface CartOptions {
  /**
   * The user: a whole number from 0 to 2^53 - 1, a bigint from 0n to 2^64 - 1, or a text of 1 to 64 bytes of UTF-8. `1`
   * and `1n` are the same user, `'1'` is another. Needed where an item has a per-user limit or is in a group. Texts are
   * compared octet by octet: 'é' in two Unicode normal forms is two users, unless `text.normalize()` makes them one.
   */
  readonly user?: LedgerKey;
  /**
   * The client's id: as `user`, but a text has up to 256 bytes. A repetition with the same id, items, quantities and
   * user gets the answer of the first request: see `Stock.reserve`.
   */
  readonly id?: LedgerKey;
  /** How long the units are held: as the option of `Stock.create`, for this reservation. */
  readonly holdMs?: number;
}

/** The options of `Stock.reserve`: one item and its quantity, the user, the id, and how long the units are held. */
export interface ReserveOptions extends CartLine, CartOptions {}

/** Publishes each request to a stock itself that was refused as 'sold-out': `{ stock, sku, user, id }`. */
const soldOut = channel('sluice:stock:sold-out');

/** See `Stock.reserve`. */
export function reserveItem(
  stock: object,
  native: NativeStock,
  staging: StockStaging,
  request: unknown,
): Reserved | Refused {
  const where = 'Stock.reserve';
  const given = new Options(where, request, ['sku', 'quantity', 'user', 'id', 'holdMs']);
  const sku = checkedSku(`${where}: sku`, given.get('sku'));
  const quantity = given.integer('quantity', 1, stockLimits.quantity);
  return reserveLines(stock, native, staging, where, [{ sku, quantity }], given, false);
}

/** See `Stock.reserveAll`. */
export function reserveCart(
  stock: object,
  native: NativeStock,
  staging: StockStaging,
  lines: unknown,
  options: unknown,
): Reserved | Refused {
  const where = 'Stock.reserveAll';
  const given = new Options(where, options, ['user', 'id', 'holdMs']);
  return reserveLines(stock, native, staging, where, summed(where, lines), given, true);
}

function reserveLines(
  stock: object,
  native: NativeStock,
  staging: StockStaging,
  where: string,
  lines: readonly CartLine[],
  given: Options,
  isCart: boolean,
): Reserved | Refused {
  const user = given.has('user') ? checkedKey(`${where}: user`, given.get('user'), textMax.user) : undefined;
  const id = given.has('id') ? checkedKey(`${where}: id`, given.get('id'), textMax.id) : undefined;
  const holdMs = given.has('holdMs') ? given.number('holdMs', 1, stockLimits.holdMs) : undefined;
  staging.begin();
  staging.user(user);
  staging.id(id);
  staging.hold(holdMs);
  staging.cart(lines);
  const result = checkedAnswer('Stock', native.reserve(lines.length));
  if (result === reserveResults['needs-user']) {
    throw optionError(`${where}: user`, 'a user (the item has a per-user limit)', undefined, true);
  }
  if (result === reserveResults['admitted-by-gate']) return new AdmittedByGate(staging.reservation);
  const reason = refusalName(result);
  if (reason === undefined) {
    return result === reserveResults.reserved
      ? new ReservedAnswer(staging.reservation, holdMs ?? staging.leftMs, false, 'held')
      : new ReservedAnswer(staging.reservation, staging.leftMs, true, stateName(staging.phase));
  }
  const refused = lines[staging.refusedLine];
  if (reason === 'sold-out' && soldOut.hasSubscribers)
    soldOut.publish({ stock, sku: refused?.sku, user, id });
  return isCart && refused !== undefined && aboutOneItem.has(reason)
    ? { ok: false, reason, sku: refused.sku }
    : { ok: false, reason };
}
