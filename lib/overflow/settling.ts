import { clearTimeout, setTimeout } from 'node:timers';
import { entriesMax, type OpenStore } from './store.js';

/** How often to look for entries that can be removed, in milliseconds, while there may be any; and after a failure. */
const lookMs = 5;
const retryMs = 250;

/** Entries of one lane that are in the ring, or have left it. */
interface Handed {
  readonly ids: readonly number[];
  /** They have left the ring once this many records have left the lane. */
  readonly claimed: number;
  /** Of an order that came through a gate with a stock. */
  readonly reservation: bigint | undefined;
}

/** Handlers that were given their records in one span of time, which ends when `gone` is set. */
interface Span {
  running: number;
  /** How many records had left each lane when the span ended. */
  gone: readonly number[] | undefined;
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
  #span: Span = { running: 0, gone: undefined };
  /** An earlier span, some of whose handlers may still run. */
  #earlier: Span | undefined;
  /** How many records of each lane have left it, and no handler has any more. */
  #handled: readonly number[];

  constructor(lanes: number, asked: Settles) {
    this.#asked = asked;
    this.#lanes = Array.from({ length: lanes }, () => []);
    this.#removable = Array.from({ length: lanes }, () => []);
    this.#handled = this.#lanes.map(() => 0);
  }

  begin(store: OpenStore): void {
    this.#store = store;
  }

  /** Notes entries that were pushed to the ring just now: `claimed` records of the lane have been claimed by then. */
  handed(lane: number, ids: readonly number[], claimed: number, reservation: bigint | undefined): void {
    this.#lanes[lane]?.push({ ids, claimed, reservation });
    this.#lookIn(lookMs);
  }

  /** Notes entries that nobody has to consume any more. */
  remove(lane: number, ids: readonly number[]): void {
    this.#removable[lane]?.push(...ids);
    this.#lookIn(lookMs);
  }

  /** Called when a handler is given records. The returned function is called when it has ended. */
  handing(): () => void {
    const span = this.#span;
    span.running++;
    return () => {
      span.running--;
    };
  }

  /** Looks for what can be removed, and begins to remove it. */
  look(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#advance();
    for (const [lane, handed] of this.#lanes.entries()) {
      const handled = this.#handled[lane] as number;
      const gone = this.#asked.gone(lane);
      let settled = 0;
      for (const { claimed, reservation } of handed) {
        const isOver =
          reservation === undefined
            ? claimed <= handled
            : claimed <= gone && this.#asked.isDecided(reservation);
        if (!isOver) break;
        settled++;
      }
      for (const { ids } of handed.splice(0, settled)) this.#removable[lane]?.push(...ids);
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

  /** Finds out how many records of each lane are handled. */
  #advance(): void {
    const gone = this.#lanes.map((_, lane) => this.#asked.gone(lane));
    if (this.#earlier?.running === 0) {
      this.#handled = this.#earlier.gone ?? this.#handled;
      this.#earlier = undefined;
    }
    if (this.#earlier !== undefined) return;
    if (this.#span.running === 0) {
      this.#handled = gone;
    } else {
      this.#span.gone = gone;
      this.#earlier = this.#span;
      this.#span = { running: 0, gone: undefined };
    }
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
