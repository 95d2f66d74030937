/** How many places are one neighbourhood: a look visits all of them. */
const together = 16;

/**
 * Predicts when a ledger looks for holds that are over. It does not look before the earliest deadline that was added
 * since its last look, whether or not that reservation is still held. After a look, a refused request is tried again,
 * even if the look found nothing.
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
