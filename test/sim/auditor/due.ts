/** How many places are one neighbourhood: a look visits all of them. */
const together = 16;

/**
 * Predicts when a ledger looks for holds that are over: not before the earliest of its bounds, of which each
 * neighbourhood of places has one. A bound stays until a look has visited its places, even if the reservation that it
 * came from is no longer held.
 */
export class DueTimes {
  /** For each neighbourhood of places, a time before which none of its holds is over. */
  readonly #bounds = new Map<number, number>();

  /** A reservation counts at the place of its first line. */
  add(place: number, deadline: number): void {
    const at = Math.floor(place / together);
    this.#bounds.set(at, Math.min(this.#bounds.get(at) ?? Number.POSITIVE_INFINITY, deadline));
  }
  mayBeDue(now: number): boolean {
    return [...this.#bounds.values()].some((bound) => now >= bound);
  }
  /** Called when the ledger has expired what was due. `held` are the reservations that are still held. */
  looked(now: number, held: ReadonlyArray<{ readonly place: number; readonly deadline: number }>): void {
    const seen = [...this.#bounds].filter(([, bound]) => now >= bound).map(([at]) => at);
    for (const at of seen) this.#bounds.delete(at);
    for (const { place, deadline } of held) {
      if (seen.includes(Math.floor(place / together))) this.add(place, deadline);
    }
  }
}
