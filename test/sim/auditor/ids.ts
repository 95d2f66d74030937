interface Known {
  readonly id: string;
  readonly body: string;
  readonly answer: number | 'failed';
  readonly byGate: boolean;
  /** Of a gate's: its order was in the queue of another time. */
  inNoQueue: boolean;
}

/** Ids whose table has this much room or less have all the same neighbours. */
const oneNeighbourhood = 8;
const neighbours = 16;

/**
 * The ids that a ledger remembers. Which ids are neighbours is the ledger's business; so either all are, or there is
 * room for many more than the simulator uses.
 */
export class IdMemory {
  readonly #known: Known[] = []; // the oldest first
  readonly #room: number;

  constructor(readonly capacity: number) {
    this.#room = capacity <= oneNeighbourhood ? neighbours : Number.POSITIVE_INFINITY;
  }

  find(id: string): Known | undefined {
    return this.#known.find((known) => known.id === id);
  }

  hasRoom(forgettable: (reservation: number) => boolean): boolean {
    return this.#known.length < this.#room || this.#oldest(forgettable) >= 0;
  }

  /** There is room. */
  remember(
    id: string,
    body: string,
    answer: number | 'failed',
    byGate: boolean,
    forgettable: (reservation: number) => boolean,
  ): void {
    if (this.#known.length === this.#room) this.#known.splice(this.#oldest(forgettable), 1);
    this.#known.push({ id, body, answer, byGate, inNoQueue: false });
  }

  /** What a restored ledger remembers, which has no queue; with room for as many ids, or more. */
  restored(capacity: number): IdMemory {
    const copy = new IdMemory(capacity);
    copy.#known.push(...this.#known.map((known) => ({ ...known, inNoQueue: known.byGate })));
    return copy;
  }

  #oldest(forgettable: (reservation: number) => boolean): number {
    return this.#known.findIndex(({ answer }) => answer === 'failed' || forgettable(answer));
  }
}
