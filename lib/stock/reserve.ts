import { channel } from 'node:diagnostics_channel';
import { checkedAnswer, type NativeStock, reserveResults } from '../binding/index.js';
import { optionError } from '../input/index.js';
import {
  AdmittedByGate,
  aboutOneItem,
  type Refused,
  type Reserved,
  ReservedAnswer,
  refusalName,
  stateName,
} from './answers.js';
import { type CheckedRequest, checkedCart, checkedReserve } from './request.js';
import type { StockStaging } from './staging.js';

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
  return reserveLines(stock, native, staging, where, checkedReserve(where, request));
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
  return reserveLines(stock, native, staging, where, checkedCart(where, lines, options));
}

function reserveLines(
  stock: object,
  native: NativeStock,
  staging: StockStaging,
  where: string,
  { lines, user, id, holdMs, isCart }: CheckedRequest,
): Reserved | Refused {
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
