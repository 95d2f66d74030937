import { stockLimits } from '../binding/index.js';
import { copiedList, Options, optionError } from '../input/index.js';
import { checkedSku } from './staging.js';

/** One item of a cart. */
export interface CartLine {
  /** The item: a whole number from 0 to 4,294,967,295, or a text of 1 to 32 bytes of UTF-8. */
  readonly sku: number | string;
  /** How many units: 1 to 4,294,967,295. */
  readonly quantity: number;
}

/** Returns the lines of a cart, with lines of the same item added up. `least` is the least quantity of a line. */
export function summed(where: string, lines: unknown, least = 1): CartLine[] {
  const given = copiedList(lines, 1, stockLimits.lines);
  if (given === undefined) {
    throw optionError(
      `${where}: lines`,
      `an array of 1 to ${stockLimits.lines} lines`,
      lines,
      !Array.isArray(lines),
    );
  }
  const sums = new Map<number | string, number>();
  for (const [i, line] of given.entries()) {
    const one = new Options(`${where}: lines[${i}]`, line, ['sku', 'quantity']);
    const sku = checkedSku(`${where}: lines[${i}]: sku`, one.get('sku'));
    const sum = one.integer('quantity', least, stockLimits.quantity) + (sums.get(sku) ?? 0);
    if (sum > stockLimits.quantity) {
      throw optionError(
        `${where}: lines[${i}]: quantity`,
        `a sum of at most ${stockLimits.quantity} for its item`,
        sum,
        false,
      );
    }
    sums.set(sku, sum);
  }
  return Array.from(sums, ([sku, quantity]) => ({ sku, quantity }));
}
