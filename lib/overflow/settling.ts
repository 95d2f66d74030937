import { clearTimeout, setTimeout } from 'node:timers';
import { entriesMax, type OpenStore } from './store.js';

/** How often to look for entries that can be removed, in milliseconds, while there may be any; and after a failure. */
const lookMs = 5;
const retryMs = 250;

/** An entry that is in the ring, or has left it. */
interface Handed {
  readonly id: number;
  /** It has left the ring once this many records have left its lane. */
  readonly claimed: number;
  /** Of an order that came through a gate with a stock. */
  readonly reservation: bigint | undefined;
}

/** A handler that runs. */
interface Running {
  /** How many records had left each lane before it was given its own. */
  readonly gone: readonly number[];
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
 * Removes from the store what was consumed: a record without a gate when it has left the ring and, if a handler of
 * `consume` of this queue object has it, when that handler has ended; an order of a gate when it is decided. Until then
 * the record is in the store, and a process that ends loses nothing.
 */
export class Settling {
  readonly #asked: Settles;
  readonly #lanes: Handed[][];
  readonly #removable: number[][];
  #store: OpenStore | undefined;
  #timer: NodeJS.Timeout | undefined;
  #removing: Promise<void> | undefined;
  /** The handlers that run, in the order in which they were given their records. */
  readonly #running = new Set<Running>();

  constructor(lanes: number, asked: Settles) {
    this.#asked = asked;
    this.#lanes = Array.from({ length: lanes }, () => []);
    this.#removable = Array.from({ length: lanes }, () => []);
  }

  begin(store: OpenStore): void {
    this.#store = store;
  }

  /**
   * Notes entries that were pushed to the ring just now, one after another: `claimed` records of the lane have been
   * claimed by then, these included.
   */
  handed(lane: number, ids: readonly number[], claimed: number, reservation: bigint | undefined): void {
    for (const [i, id] of ids.entries()) {
      this.#lanes[lane]?.push({ id, claimed: claimed - (ids.length - 1 - i), reservation });
    }
    this.#lookIn(lookMs);
  }

  /** Notes entries that are to be removed, and were not pushed. */
  remove(lane: number, ids: readonly number[]): void {
    this.#removable[lane]?.push(...ids);
    this.#lookIn(lookMs);
  }

  /** Called just before records are taken for a handler. The returned function is called when it has ended. */
  handing(): () => void {
    const running = { gone: this.#lanes.map((_, lane) => this.#asked.gone(lane)) };
    this.#running.add(running);
    return () => this.#running.delete(running);
  }

  /** Looks for what can be removed, and begins to remove it. */
  look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [oldest] = this.#running;
    for (const [lane, handed] of this.#lanes.entries()) {
      const gone = this.#asked.gone(lane);
      const handled = oldest?.gone[lane] ?? gone;
      let settled = 0;
      for (const { claimed, reservation } of handed) {
        const isOver =
          reservation === undefined
            ? claimed <= handled
            : claimed <= gone && this.#asked.isDecided(reservation);
        if (!isOver) break;
        settled++;
      }
      for (const { id } of handed.splice(0, settled)) this.#removable[lane]?.push(id);
    }
    if (this.#removing === undefined && this.#removable.some(({ length }) => length > 0)) {
      this.#removing = this.#removeAll();
    }
    if (this.#lanes.some(({ length }) => length > 0)) this.#lookIn(lookMs);
  }

  /** Resolves when what can be removed now is removed, or could not be. Looks no more afterwards, unless told to. */
  async end(): Promise<void> {
    this.look();
    await this.#removing;
    clearTimeout(this.#timer);
  }

  #lookIn(ms: number): void {
    // The timer keeps no process alive: what is not removed is delivered again.
    this.#timer ??= setTimeout(() => this.look(), ms).unref();
  }

  async #removeAll(): Promise<void> {
    try {
      for (const [lane, ids] of this.#removable.entries()) {
        while (ids.length > 0 && this.#store !== undefined) {
          const some = ids.slice(0, entriesMax);
          await this.#store.remove(lane, some);
          ids.splice(0, some.length);
          this.#asked.removed(some.length);
        }
      }
    } catch (error) {
      this.#asked.failed(error);
      this.#lookIn(retryMs);
    } finally {
      this.#removing = undefined;
    }
  }
}
