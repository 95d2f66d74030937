interface Known {
  readonly id: string;
  readonly body: string;
  readonly answer: number | 'failed';
  readonly byGate: boolean;
  /**
   * True after a restore, until the order is queued again: a gate admitted it, and the queue that it was in is not
   * restored.
   */
  inNoQueue: boolean;
}

/** In a table with this much room or less, all ids are neighbours. */
const oneNeighbourhood = 8;
const room = { all: 17, admitted: 16 };

type Held = (reservation: number) => boolean;

/** Ids that compete for the same room, the oldest first. */
class Neighbours {
  readonly known: Known[] = [];

  constructor(readonly room: { readonly all: number; readonly admitted: number }) {}

  /** Whether there is room for an id that is admitted. `held` reports whether a reservation is held. */
  hasRoom(held: Held): boolean {
    return this.known.length < this.room.all || this.#victim(held) >= 0;
  }
  /** Adds an admitted id. Call it only if there is room. */
  admit(id: string, body: string, answer: number, byGate: boolean, held: Held): void {
    const admitted = this.known.filter((known) => known.answer !== 'failed').length;
    const crowded = this.known.length === this.room.all || admitted >= this.room.admitted;
    const victim = crowded ? this.#victim(held) : -1;
    if (victim >= 0) this.known.splice(victim, 1);
    this.known.push({ id, body, answer, byGate, inNoQueue: false });
  }
  /** Remembers a refused id if there is room for it. */
  refuse(id: string, body: string): void {
    if (this.known.length === this.room.all) {
      const victim = this.known.findIndex(({ answer }) => answer === 'failed');
      if (victim < 0) return;
      this.known.splice(victim, 1);
    }
    this.known.push({ id, body, answer: 'failed', byGate: false, inNoQueue: false });
  }

  /** Returns the index of the id that an admitted one displaces; -1 if there is none. */
  #victim(held: Held): number {
    const failed = this.known.findIndex(({ answer }) => answer === 'failed');
    const admitted = this.known.filter((known) => known.answer !== 'failed').length;
    if (admitted < this.room.admitted) return failed;
    const resolved = this.known.findIndex(({ answer }) => answer !== 'failed' && !held(answer));
    return resolved >= 0 || this.known.length < this.room.all ? resolved : failed;
  }
}

/**
 * The ids that a ledger remembers. The auditor does not know which ids are neighbours. So either all ids are, with a
 * home and a spill of the same room, or there is room for more ids than the simulator uses.
 */
export class IdMemory {
  readonly #home: Neighbours;
  readonly #spill: Neighbours;

  constructor(readonly capacity: number) {
    const infinite = { all: Number.POSITIVE_INFINITY, admitted: Number.POSITIVE_INFINITY };
    this.#home = new Neighbours(capacity <= oneNeighbourhood ? room : infinite);
    this.#spill = new Neighbours(this.#home.room);
  }

  find(id: string): Known | undefined {
    return [...this.#home.known, ...this.#spill.known].find((known) => known.id === id);
  }

  hasRoom(held: Held): boolean {
    return this.#home.hasRoom(held) || this.#spill.hasRoom(held);
  }
  /** Adds an admitted id. Call it only if there is room. */
  admit(id: string, body: string, answer: number, byGate: boolean, held: Held): void {
    (this.#home.hasRoom(held) ? this.#home : this.#spill).admit(id, body, answer, byGate, held);
  }
  refuse(id: string, body: string): void {
    this.#home.refuse(id, body);
  }

  /**
   * Returns the ids that a restored ledger remembers, with room for `capacity` ids. The queue of a gate is not
   * restored, so orders that a gate admitted are then in no queue.
   */
  restored(capacity: number): IdMemory {
    const copy = new IdMemory(capacity);
    const kept = (known: Known): Known => ({ ...known, inNoQueue: known.byGate });
    copy.#home.known.push(...this.#home.known.map(kept));
    copy.#spill.known.push(...this.#spill.known.map(kept));
    return copy;
  }
}
