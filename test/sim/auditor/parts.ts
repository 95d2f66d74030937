// Parts of reservations, and what was bought: the sums that a ledger keeps for returns.

import { type Line, pair, type Sku } from './cart.js';

/** The units that a call is about: all of them if neither field is given. */
export interface Part {
  readonly lines?: readonly Line[];
  readonly quantity?: number;
}

/**
 * Returns, for each line of a reservation, how many of its units the part has; undefined if the reservation has too few
 * units of an item, or if the part is a quantity alone and the reservation has several items. `summed` are the part's
 * lines, with lines of the same item added up.
 */
export function unitsOfPart(
  lines: readonly Line[],
  { lines: summed, quantity }: Part,
): readonly number[] | undefined {
  const held = unitsOf(lines);
  if (summed === undefined && quantity === undefined) return lines.map((line) => line.quantity);
  if (summed === undefined && held.size > 1) return undefined;
  const [sku] = held.keys();
  const wanted = summed === undefined ? new Map([[sku, quantity as number]]) : unitsOf(summed);
  if ([...wanted].some(([one, units]) => (held.get(one as Sku) ?? 0) < units)) return undefined;
  return lines.map((line) => {
    const left = wanted.get(line.sku) ?? 0;
    const units = Math.min(left, line.quantity);
    wanted.set(line.sku, left - units);
    return units;
  });
}

/**
 * Returns how many units of each item the lines are to have, as the part gives them; undefined if the part names an
 * item that the reservation lacks, or no items although the reservation has several, or would leave no unit.
 */
export function levelsOf(
  lines: readonly Line[],
  { lines: summed, quantity = 0 }: Part,
): ReadonlyMap<Sku, number> | undefined {
  const held = unitsOf(lines);
  const [sku] = held.keys();
  if (summed === undefined && held.size > 1) return undefined;
  const wanted = summed === undefined ? new Map([[sku as Sku, quantity]]) : unitsOf(summed);
  if ([...wanted.keys()].some((one) => !held.has(one))) return undefined;
  const rest = new Map([...held, ...wanted]);
  return [...rest.values()].every((units) => units === 0) ? undefined : wanted;
}

/** Returns the units of each item, in the order of its first line. */
export function unitsOf(lines: readonly Line[]): Map<Sku, number> {
  const units = new Map<Sku, number>();
  for (const { sku, quantity } of lines) units.set(sku, (units.get(sku) ?? 0) + quantity);
  return units;
}

/** The units that each user has bought, as far as a ledger knows. */
export class Purchases {
  /** By user and item. */
  readonly #bought = new Map<string, number>();
  /** For items that count users: bought units that count for no user. */
  readonly #uncounted = new Map<Sku, number>();

  /** The item counts users from now on. `sold` units were sold before. */
  count(sku: Sku, sold: number): void {
    if (!this.#uncounted.has(sku)) this.#uncounted.set(sku, sold);
  }
  counts(sku: Sku): boolean {
    return this.#uncounted.has(sku);
  }

  /** `user` is undefined if the units count for no user. */
  add(sku: Sku, user: string | undefined, units: number): void {
    if (user !== undefined) {
      this.#bought.set(pair(user, sku), this.of(sku, user) + units);
    } else if (this.counts(sku)) {
      this.#uncounted.set(sku, this.of(sku, undefined) + units);
    }
  }
  of(sku: Sku, user: string | undefined): number {
    if (user !== undefined) return this.#bought.get(pair(user, sku)) ?? 0;
    return this.#uncounted.get(sku) ?? Number.POSITIVE_INFINITY;
  }

  copy(): Purchases {
    const copy = new Purchases();
    for (const [key, units] of this.#bought) copy.#bought.set(key, units);
    for (const [sku, units] of this.#uncounted) copy.#uncounted.set(sku, units);
    return copy;
  }
}
