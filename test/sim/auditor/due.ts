/** Places that are looked at together. */
const together = 16;

/**
 * When a ledger looks for holds that are over: not before a deadline that it was told of since it last looked, be that
 * one still held or not. A look that finds nothing has a refused request tried again all the same.
 */
export class DueTimes {
  /** By neighbourhood of places: none of its holds is over before. */
  readonly #bounds = new Map<number, number>();

  /** The place of its first line stands for a reservation. */
  add(place: number, deadline: number): void {
    const at = Math.floor(place / together);
    this.#bounds.set(at, Math.min(this.#bounds.get(at) ?? Number.POSITIVE_INFINITY, deadline));
  }
  mayBeDue(now: number): boolean {
    return [...this.#bounds.values()].some((bound) => now >= bound);
  }
  /** What was due has expired; `held`: what is left. */
  looked(now: number, held: ReadonlyArray<{ readonly place: number; readonly deadline: number }>): void {
    const seen = [...this.#bounds].filter(([, bound]) => now >= bound).map(([at]) => at);
    for (const at of seen) this.#bounds.delete(at);
    for (const { place, deadline } of held) {
      if (seen.includes(Math.floor(place / together))) this.add(place, deadline);
    }
  }
}
