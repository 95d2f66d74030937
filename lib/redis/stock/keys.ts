import { optionError } from '../../input/index.js';
import type { LedgerKey } from '../../stock/index.js';

const nameMax = 128;

/** The keys of a sale. All have its hash tag, so that one script can use them, and a cluster keeps them together. */
export class SaleKeys {
  /** What all keys begin with: `prefix:{sale}`. */
  readonly begin: string;
  /**
   * The keys of the scripts, in the order in which these name them.
   *
   * - `items`, a hash: the numbers of each item, the version of the sale, and the last fence.
   * - `members`, a hash: of each process its fence, the number of its last batch, and what it has leased of each item.
   * - `answers`, a hash: of each process the answers to its last batch.
   * - `expiry`, a sorted set: the processes with a lease, by the time at which it ends.
   * - `users`, a hash: how many units a user holds or has bought of an item that has a limit.
   * - `ids`, a hash: of each client's id the digest of its request, then its reservation, or `!` if it was refused.
   * - `holds`, a hash: the reservations, packed.
   * - `due`, a sorted set: the reservations that are held, by their deadline.
   * - `ended`, a sorted set: what the server forgets, by the time at which it does: reservations that have ended, ids
   *   that were refused, processes that are silent.
   * - `movements`, a stream: the changes of the stock.
   * - `accepted`, a stream: the ids of the orders that were reserved, which all processes read.
   */
  readonly all: readonly string[];
  /** The stream of changes. */
  readonly movements: string;
  /** The hash of the items. */
  readonly items: string;

  constructor(where: string, prefix: unknown, sale: unknown) {
    this.begin = `${checkedPart(`${where}: prefix`, prefix)}:{${checkedPart(`${where}: sale`, sale)}}`;
    const names = [
      ...['items', 'members', 'answers', 'expiry', 'users', 'ids', 'holds', 'due', 'ended', 'movements'],
      'accepted',
    ];
    this.all = names.map((name) => `${this.begin}:${name}`);
    this.items = `${this.begin}:items`;
    this.movements = `${this.begin}:movements`;
  }
}

function checkedPart(where: string, part: unknown): string {
  const expected = `a text of 1 to ${nameMax} characters without braces`;
  if (typeof part !== 'string') throw optionError(where, expected, part, true);
  const fits = part.length >= 1 && part.length <= nameMax && part.isWellFormed() && !/[{}]/.test(part);
  if (!fits) throw optionError(where, expected, part, false);
  return part;
}

/**
 * Returns the name of an item in the scripts: `n7` for 7, `t7` for '7'. It contains no `|`, which separates it from
 * what stands behind it.
 */
export function skuKey(sku: number | string): string {
  return typeof sku === 'number' ? `n${sku}` : `t${sku.replaceAll('%', '%25').replaceAll('|', '%7C')}`;
}

export function skuOf(key: string): number | string {
  const name = key.slice(1);
  return key[0] === 'n' ? Number(name) : name.replaceAll('%7C', '|').replaceAll('%25', '%');
}

/** Returns the name of a user or an id in the scripts: `n7` for 7 and 7n, `t7` for '7'; '' for none. */
export function keyText(key: LedgerKey | undefined): string {
  if (key === undefined) return '';
  return typeof key === 'string' ? `t${key}` : `n${key}`;
}

/** Returns the user or the id of this name: a text, or a bigint for a number; undefined for ''. */
export function keyOf(text: string): bigint | string | undefined {
  if (text === '') return undefined;
  return text[0] === 'n' ? BigInt(text.slice(1)) : text.slice(1);
}
