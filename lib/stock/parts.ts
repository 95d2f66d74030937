import { answers, checkedAnswer, type NativeStock, resolveResults, stockLimits } from '../binding/index.js';
import { Options, optionError } from '../input/index.js';
import { type Resolution, type ReturnResolution, resolutionName } from './answers.js';
import { type CartLine, summed } from './cart.js';
import {
  checkedKey,
  checkedReservation,
  checkedSku,
  type LedgerKey,
  type StockStaging,
  textMax,
} from './staging.js';

/** Which units of a reservation a call is about: all of them if neither `quantity` nor `lines` is given. */
export interface PartOptions {
  /** Units of a reservation of one item: 1 to 4,294,967,295. Default: all of them, unless `lines` is given. */
  readonly quantity?: number | undefined;
  /**
   * Units of each item, 1 to 64 lines; items that are not named are left out. Lines of the same item are added up
   * first.
   */
  readonly lines?: readonly CartLine[] | undefined;
}

/** Which part is confirmed, and what becomes of the rest. */
export interface ConfirmOptions extends PartOptions {
  /**
   * What becomes of the units that are not confirmed: 'release' (default) puts them back on sale, 'hold' keeps them
   * held until the deadline that the reservation has, to be confirmed or cancelled later.
   */
  readonly rest?: 'release' | 'hold' | undefined;
}

/** Units that were bought, whatever reservation they were bought with. */
export interface BoughtUnits {
  /** The item. */
  readonly sku: number | string;
  /** How many units: 1 to 4,294,967,295. */
  readonly quantity: number;
  /**
   * The user that bought them. Without a user, only units that count for no user can be returned: those sold before the
   * item had a per-user limit or a group.
   */
  readonly user?: LedgerKey | undefined;
}

interface CheckedPart {
  readonly lines: readonly CartLine[];
  /** 0: all units, or those of the lines. */
  readonly quantity: number;
}

/** The calls about a part of a reservation. */
export class PartCalls {
  readonly #native: NativeStock;
  readonly #staging: StockStaging;

  constructor(native: NativeStock, staging: StockStaging) {
    this.#native = native;
    this.#staging = staging;
  }

  confirm(reservation: unknown, options: unknown): Resolution {
    const where = 'Stock.confirm';
    const given = new Options(where, options, ['quantity', 'lines', 'rest']);
    const part = checkedPart(where, given);
    const rest = given.get('rest');
    if (rest !== undefined && rest !== 'release' && rest !== 'hold') {
      throw optionError(`${where}: rest`, "'release' or 'hold'", rest, typeof rest !== 'string');
    }
    stagePart(this.#staging, where, reservation, part);
    const answer = this.#native.confirmPart(part.lines.length, rest === 'hold' ? 1 : 0);
    return resolutionName(this.#checked(where, part, answer, 'holds'), 'confirmed');
  }

  cancel(reservation: unknown, options: unknown): Resolution {
    const where = 'Stock.cancel';
    const part = checkedPart(where, new Options(where, options, ['quantity', 'lines']));
    stagePart(this.#staging, where, reservation, part);
    const answer = this.#native.cancelPart(part.lines.length);
    return resolutionName(this.#checked(where, part, answer, 'holds'), 'cancelled');
  }

  giveBack(reservation: unknown, options: unknown): ReturnResolution {
    const where = 'Stock.return';
    const part = checkedPart(where, new Options(where, options, ['quantity', 'lines']));
    stagePart(this.#staging, where, reservation, part);
    const answer = this.#native.giveBack(part.lines.length);
    return returnName(this.#checked(where, part, answer, 'has bought and not returned'));
  }

  giveBackOf(units: unknown): ReturnResolution {
    const where = 'Stock.return';
    const given = new Options(where, units, ['sku', 'quantity', 'user']);
    const sku = checkedSku(`${where}: sku`, given.get('sku'));
    const quantity = given.integer('quantity', 1, stockLimits.quantity);
    const user = given.has('user')
      ? checkedKey(`${where}: user`, given.get('user'), textMax.user)
      : undefined;
    this.#staging.begin();
    this.#staging.sku(sku);
    this.#staging.user(user);
    this.#staging.quantity(quantity);
    const answer = checkedAnswer('Stock', this.#native.giveBackOf());
    if (answer === answers.unknownSku) throw optionError(`${where}: sku`, 'the sku of an item', sku, false);
    if (answer === resolveResults['needs-user']) {
      throw optionError(`${where}: user`, 'a user (the item has, or had, a per-user limit)', user, true);
    }
    return returnName(answer);
  }

  /** Throws if the part does not fit the reservation. `has` is the verb of the message, such as 'holds'. */
  #checked(where: string, { lines, quantity }: CheckedPart, answer: number, has: string): number {
    if (answer !== resolveResults['bad-quantity'] && answer !== resolveResults['bad-line'])
      return checkedAnswer('Stock', answer);
    const line = lines[this.#staging.refusedLine];
    if (line === undefined) {
      const expected = `at most what the reservation ${has}, and a reservation of one item`;
      throw optionError(`${where}: quantity`, expected, quantity, false);
    }
    if (answer === resolveResults['bad-line'])
      throw optionError(`${where}: lines: sku`, 'an item of the reservation', line.sku, false);
    const of = typeof line.sku === 'string' ? JSON.stringify(line.sku) : line.sku;
    const expected = `at most what the reservation ${has} of it`;
    throw optionError(`${where}: lines: quantity of ${of}`, expected, line.quantity, false);
  }
}

/** Stages the part for a native call. @throws TypeError. */
export function stagePart(
  staging: StockStaging,
  where: string,
  reservation: unknown,
  { lines, quantity }: CheckedPart,
): void {
  staging.reservation = checkedReservation(`${where}: reservation`, reservation);
  staging.begin();
  staging.quantity(quantity);
  for (const [i, line] of lines.entries()) staging.line(i, line.sku, line.quantity);
}

function checkedPart(where: string, given: Options): CheckedPart {
  if (!given.has('lines')) {
    return {
      lines: [],
      quantity: given.has('quantity') ? given.integer('quantity', 1, stockLimits.quantity) : 0,
    };
  }
  if (given.has('quantity')) {
    throw optionError(`${where}: quantity`, 'no quantity beside lines', given.get('quantity'), true);
  }
  return { lines: summed(where, given.get('lines')), quantity: 0 };
}

function returnName(answer: number): ReturnResolution {
  switch (answer) {
    case resolveResults.done:
      return 'returned';
    case resolveResults['already-returned']:
      return 'already-returned';
    case resolveResults['not-bought']:
      return 'not-bought';
    default:
      return 'unknown';
  }
}
