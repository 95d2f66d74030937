import { setImmediate } from 'node:timers';
import { SluiceError } from '../input/index.js';
import { storeError } from './errors.js';
import type { NewEntry, OpenStore, Store } from './store.js';

/**
 * The most entries of one append: so many callers go on in the turn of the event loop in which it is durable, and more
 * would delay that turn by milliseconds.
 */
const batchMax = 256;

interface Pending {
  readonly lane: number;
  readonly bytes: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How full a store is. */
export interface Room {
  /** Entries in the store, those that are on the way to it included. */
  records: number;
  /** Appends that were refused because the store is full. */
  refused: number;
}

/**
 * Gathers the entries that come while an append runs, and appends them together with the next one: as many entries as
 * there are callers share one synchronization of the device.
 */
export class Appends {
  readonly #bounds: Store;
  readonly #entryBytes: number;
  readonly #maxWaiting: number;
  readonly #room: Room;
  /** Called with the lane of each entry that has become durable, or was given up. */
  readonly #settled: (lane: number, durable: boolean) => void;
  readonly #gathered: Pending[] = [];
  #store: OpenStore | undefined;
  #lastId = 0;
  #appending = 0;
  #scheduled = false;
  #whenIdle: Array<() => void> = [];

  constructor(
    bounds: Store,
    entryBytes: number,
    maxWaiting: number,
    room: Room,
    settled: (lane: number, durable: boolean) => void,
  ) {
    this.#bounds = bounds;
    this.#entryBytes = entryBytes;
    this.#maxWaiting = maxWaiting;
    this.#room = room;
    this.#settled = settled;
  }

  /**
   * Begins to append, with what was gathered before. Only now it is known how full the store is: the newest records for
   * which it has no room are refused.
   */
  begin(store: OpenStore): void {
    this.#store = store;
    this.#lastId = store.content.lastId;
    for (let full = this.#full(this.#room.records); full; full = this.#full(this.#room.records)) {
      const last = this.#gathered.pop();
      if (last === undefined) break; // an earlier process was allowed more
      this.#room.refused++;
      this.#reject(last, full);
    }
    this.#schedule();
  }

  /** Rejects what was gathered. */
  giveUp(error: unknown): void {
    for (const entry of this.#gathered.splice(0)) this.#reject(entry, error);
  }

  /** Resolves when the entry is durable. Throws at once if the store is full, or if too many callers wait. */
  append(lane: number, bytes: Uint8Array): Promise<void> {
    const refusal = this.refusal();
    if (refusal !== undefined) {
      if (refusal.code === 'ERR_SLUICE_FULL') this.#room.refused++;
      throw refusal;
    }
    this.#room.records++;
    return new Promise((resolve, reject) => {
      this.#gathered.push({ lane, bytes, resolve, reject });
      this.#schedule();
    });
  }

  /** Returns the error with which an append would be refused now; undefined if it would not. */
  refusal(): SluiceError | undefined {
    const { name } = this.#bounds;
    if (this.#gathered.length + this.#appending >= this.#maxWaiting) {
      return new SluiceError('ERR_SLUICE_WAITERS', `${name}: maxWaiting callers already wait for the store`);
    }
    return this.#full(this.#room.records + 1);
  }

  /** Returns the error of a store that may not have so many records; undefined if it may. */
  #full(records: number): SluiceError | undefined {
    const { maxRecords, maxBytes, name } = this.#bounds;
    if (records <= maxRecords && records * this.#entryBytes <= maxBytes) return undefined;
    const bound = records > maxRecords ? `${maxRecords} records` : `${maxBytes} bytes`;
    return storeError('ERR_SLUICE_FULL', name, `full: it may have ${bound}`);
  }

  /** Resolves when nothing is gathered or on its way. */
  idle(): Promise<void> {
    if (this.#gathered.length + this.#appending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Appends at the end of the turn, with what comes in this turn. */
  #schedule(): void {
    if (this.#scheduled || this.#appending > 0 || this.#store === undefined) return;
    if (this.#gathered.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#append(this.#store as OpenStore);
    });
  }

  async #append(store: OpenStore): Promise<void> {
    const batch = this.#gathered.splice(0, batchMax);
    this.#appending = batch.length;
    const entries = batch.map(({ lane, bytes }): NewEntry => ({ id: ++this.#lastId, lane, bytes }));
    try {
      await store.append(entries);
      for (const { lane, resolve } of batch) {
        this.#settled(lane, true);
        resolve();
      }
    } catch (error) {
      // A server may have no memory left before the store has all that it may have.
      if ((error as SluiceError).code === 'ERR_SLUICE_FULL') this.#room.refused += batch.length;
      for (const entry of batch) this.#reject(entry, error);
    }
    this.#appending = 0;
    this.#schedule();
    if (this.#gathered.length === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #reject({ lane, reject }: Pending, error: unknown): void {
    this.#room.records--;
    this.#settled(lane, false);
    reject(error);
  }
}
