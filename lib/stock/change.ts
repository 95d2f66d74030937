import {
  checkedAnswer,
  type NativeStock,
  refusals,
  reserveResults,
  resolveResults,
  stockLimits,
} from '../binding/index.js';
import { Options, optionError } from '../input/index.js';
import { type Refusal, type Resolution, refusalName, resolutionName } from './answers.js';
import { type CartLine, summed } from './cart.js';
import { stagePart } from './parts.js';
import type { StockStaging } from './staging.js';

/** How many units a reservation holds from now on. Give either `quantity` or `lines`. */
export interface ChangeOptions {
  /** Units of a reservation of one item: 1 to 4,294,967,295. One of `quantity` and `lines` is needed; no default. */
  readonly quantity?: number | undefined;
  /**
   * Units of each item, 1 to 64 lines, each 0 to 4,294,967,295; items that are not named stay as they are. Lines of the
   * same item are added up first.
   */
  readonly lines?: readonly CartLine[] | undefined;
}

/**
 * 'changed', or why nothing was changed: what the reservation had become before, or the reason why no more units of an
 * item can be held.
 */
export type ChangeResolution =
  | 'changed'
  | Exclude<Resolution, 'confirmed' | 'cancelled' | 'extended'>
  | Extract<Refusal, 'sold-out' | 'user-limit' | 'item-closed' | 'sale-over' | 'ledger-full' | 'users-full'>;

const where = 'Stock.change';

export function changeHeld(
  native: NativeStock,
  staging: StockStaging,
  reservation: unknown,
  options: unknown,
): ChangeResolution {
  const wanted = checkedQuantities(options);
  stagePart(staging, where, reservation, wanted);
  const answer = checkedAnswer('Stock', native.change(wanted.lines.length));
  if (answer >= refusals) {
    // The item needs a user, and the reservation has none.
    return answer === refusals + reserveResults['needs-user']
      ? 'user-limit'
      : (refusalName(answer - refusals) as ChangeResolution);
  }
  if (answer === resolveResults['nothing-left']) {
    throw optionError(
      `${where}: lines`,
      'at least one unit that stays held (cancel() ends the reservation)',
      0,
      false,
    );
  }
  if (answer !== resolveResults['bad-quantity'] && answer !== resolveResults['bad-line']) {
    return resolutionName(answer, 'changed') as ChangeResolution;
  }
  const line = wanted.lines[staging.refusedLine];
  if (answer === resolveResults['bad-line'] && line !== undefined) {
    throw optionError(`${where}: lines: sku`, 'an item of the reservation', line.sku, false);
  }
  const expected = `a reservation of one item, and at most ${stockLimits.quantity} with what was bought of it`;
  throw optionError(`${where}: quantity`, expected, line?.quantity ?? wanted.quantity, false);
}

function checkedQuantities(options: unknown): {
  readonly lines: readonly CartLine[];
  readonly quantity: number;
} {
  const given = new Options(where, options, ['quantity', 'lines']);
  if (!given.has('lines')) return { lines: [], quantity: given.integer('quantity', 1, stockLimits.quantity) };
  if (given.has('quantity')) {
    throw optionError(`${where}: quantity`, 'no quantity beside lines', given.get('quantity'), true);
  }
  return { lines: summed(where, given.get('lines'), 0), quantity: 0 };
}
