import { clearTimeout, setTimeout } from 'node:timers';
import type { Held } from '../queue/index.js';
import { entriesMax, type OpenStore } from './store.js';

/** How often to look for entries that can be removed, in milliseconds, while there may be any; and after a failure. */
const lookMs = 5;
const retryMs = 250;
/** How many orders to ask about in one look. */
const askedAtOnce = 256;

/** The positions of a lane that were claimed while something was pushed: those behind `after`, up to `last`. */
export interface Positions {
  readonly after: number;
  readonly last: number;
}

/** An entry that was pushed to the ring, and is still in the store. */
interface Handed {
  readonly id: number;
  readonly lane: number;
  /** It has one of these positions of its lane; exactly one, unless other threads have pushed at the same time. */
  readonly first: number;
  readonly last: number;
  /** How often it was taken from the store. */
  readonly deliveries: number;
  /** Of an order that came through a gate with a stock. */
  readonly reservation: bigint | undefined;
  /** The handlers that may have it: those that were given a record of its positions. */
  handlers: number;
  /** Whether all records of its positions have left the ring. */
  hasLeft: boolean;
}

/** What Settling asks. */
export interface Settles {
  /** How many records have left the lane since creation. */
  gone(lane: number): number;
  isDecided(reservation: bigint): boolean;
  removed(count: number): void;
  failed(error: unknown): void;
}

/**
 * Removes from the store what was consumed: a record without a gate when it has left the ring and, if it was taken for
 * a handler of this queue object, when that has ended; an order of a gate when it is decided. Until then the record is
 * in the store, and a process that ends loses nothing.
 */
export class Settling {
  readonly #asked: Settles;
  /** The entries of each lane that may be in the ring, in their order. */
  readonly #inRing: Handed[][];
  /** The orders of a gate that have left the ring. */
  #undecided: Handed[] = [];
  /** The orders of a gate that are not decided, by their reservations. */
  readonly #orders = new Map<bigint, Handed>();
  readonly #removable: number[][];
  #store: OpenStore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #removing: Promise<void> | undefined;
  #hasEnded = false;

  constructor(lanes: number, asked: Settles) {
    this.#asked = asked;
    this.#inRing = Array.from({ length: lanes }, () => []);
    this.#removable = Array.from({ length: lanes }, () => []);
  }

  begin(store: OpenStore): void {
    this.#store = store;
  }

  /** Notes entries that were pushed to the ring just now, one after another. */
  handed(
    lane: number,
    entries: ReadonlyArray<{ readonly id: number; readonly deliveries: number }>,
    { after, last }: Positions,
    reservation: bigint | undefined,
  ): void {
    for (const [i, { id, deliveries }] of entries.entries()) {
      const handed = {
        ...{ id, lane, deliveries, reservation, handlers: 0, hasLeft: false },
        first: after + 1 + i,
        last: last - (entries.length - 1 - i),
      };
      this.#inRing[lane]?.push(handed);
      if (reservation !== undefined) this.#orders.set(reservation, handed);
    }
    this.#lookIn(lookMs);
  }

  /** Notes entries that are to be removed, and were not pushed. */
  remove(lane: number, ids: readonly number[]): void {
    this.#removable[lane]?.push(...ids);
    this.#lookIn(lookMs);
  }

  /** See `OverflowLayer.taking`. */
  taking<Batch>(take: () => Batch): { readonly batch: Batch; readonly held: Held | undefined } {
    if (this.#inRing.every(({ length }) => length === 0)) return { batch: take(), held: undefined };
    const before = this.#inRing.map((_, lane) => this.#asked.gone(lane));
    for (const [lane, gone] of before.entries()) this.#leave(lane, gone);
    const batch = take();
    const taken = before.flatMap((gone, lane) => this.#givenToHandler(lane, this.#asked.gone(lane), gone));
    return { batch, held: taken.length === 0 ? undefined : this.#held(taken) };
  }

  /** Returns how often an order was taken from the store before this process took it; undefined if it is not there. */
  earlier(reservation: bigint): number | undefined {
    const order = this.#orders.get(reservation);
    return order && order.deliveries - 1;
  }

  /** Looks for what can be removed, and begins to remove it. */
  look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const lane of this.#inRing.keys()) this.#leave(lane, this.#asked.gone(lane));
    const asked = this.#undecided.splice(0, askedAtOnce);
    for (const order of asked) {
      if (this.#asked.isDecided(order.reservation as bigint)) this.#over(order);
      else this.#undecided.push(order);
    }
    if (this.#removing === undefined && this.#removable.some(({ length }) => length > 0)) {
      this.#removing = this.#removeAll();
    }
    if (this.#undecided.length > 0 || this.#inRing.some(({ length }) => length > 0)) this.#lookIn(lookMs);
  }

  /** Resolves when what can be removed now is removed, or could not be. Looks no more afterwards. */
  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.#removing; // which passes over what comes for a lane whose turn is over
    this.look();
    await this.#removing;
  }

  /** Returns the entries that may be among the records of a lane which have left the ring since it was `before`. */
  #givenToHandler(lane: number, gone: number, before: number): Handed[] {
    if (gone === before) return [];
    const taken: Handed[] = [];
    for (const entry of this.#inRing[lane] as Handed[]) {
      if (entry.first > gone) break;
      if (entry.reservation !== undefined) continue; // its gate decides it
      entry.handlers++;
      taken.push(entry);
    }
    return taken;
  }

  #held(taken: readonly Handed[]): Held {
    let isOver = false;
    return {
      earlier: Math.max(...taken.map(({ deliveries }) => deliveries)) - 1,
      ended: () => {
        if (isOver) return;
        isOver = true;
        for (const entry of taken) {
          if (--entry.handlers === 0 && entry.hasLeft) this.#over(entry);
        }
        this.#lookIn(lookMs);
      },
    };
  }

  /** Called with how many records have left the ring. */
  #leave(lane: number, gone: number): void {
    const inRing = this.#inRing[lane] as Handed[];
    let left = 0;
    for (const entry of inRing) {
      if (entry.last > gone) break;
      left++;
      entry.hasLeft = true;
      if (entry.reservation !== undefined) this.#undecided.push(entry);
      else if (entry.handlers === 0) this.#over(entry);
    }
    inRing.splice(0, left);
  }

  #over({ id, lane, reservation }: Handed): void {
    if (reservation !== undefined) this.#orders.delete(reservation);
    this.#removable[lane]?.push(id);
  }

  #lookIn(ms: number): void {
    if (this.#hasEnded) return;
    // The timer keeps no process alive: what is not removed is delivered again.
    this.#timer ??= setTimeout(() => this.look(), ms).unref();
  }

  async #removeAll(): Promise<void> {
    try {
      for (const [lane, ids] of this.#removable.entries()) {
        while (ids.length > 0) {
          const some = ids.slice(0, entriesMax);
          await (this.#store as OpenStore).remove(lane, some); // they come from there
          ids.splice(0, some.length);
          this.#asked.removed(some.length);
        }
      }
    } catch (error) {
      this.#asked.failed(error);
      this.#lookIn(retryMs);
    } finally {
      this.#removing = undefined;
      if (this.#removable.some(({ length }) => length > 0)) this.#lookIn(lookMs);
    }
  }
}
