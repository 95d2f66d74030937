/**
 * What a store is to a queue that spills. A store knows neither queues nor records: it keeps entries, which are bytes
 * with a number, a lane and a count of deliveries. Everything else stands in spill.ts.
 *
 * One queue object uses a store, from one thread. It makes no call of a kind while an earlier call of that kind runs:
 * at most one `append`, one `take` for each lane, and one `remove` at a time.
 */

/** What the entries of a store are, and how many it may keep. */
export interface StoreFormat {
  /** The hash of the record's schema (`RecordType.schema`), and what else decides the bytes of an entry. */
  readonly schema: bigint;
  /** The bytes of each entry: 1 to 1,048,576. */
  readonly entryBytes: number;
  /** The number of lanes: 1 to 8. */
  readonly lanes: number;
}

/** An entry to append. */
export interface NewEntry {
  /** Its number: a whole number below 2^50, greater than that of every entry that the store has ever had. */
  readonly id: number;
  /** 0 to the number of lanes - 1. */
  readonly lane: number;
  /** `entryBytes` bytes. The store copies them before `append` returns. */
  readonly bytes: Uint8Array;
}

/** An entry that `take` returns. */
export interface StoredEntry {
  /** Its number, as it was appended. */
  readonly id: number;
  /**
   * How often `take` has returned it, this time included: 1, or more if the process that had taken it before ended
   * without removing it. The store has made this count durable before it returns the entry.
   */
  readonly deliveries: number;
  /**
   * Its bytes; undefined if they are damaged, that is, differ from what was appended. A consumer never gets such bytes.
   */
  readonly bytes: Uint8Array | undefined;
}

/** What a store has when it is opened. */
export interface StoreContent {
  /** The number of entries of each lane. */
  readonly lanes: readonly number[];
  /** The greatest number that an entry of the store ever had, removed ones included; 0 for a new store. */
  readonly lastId: number;
  /**
   * Entries that are known to have been there, and are lost because the file is damaged. Damage within an entry that
   * can still be found shows only when that entry is taken.
   */
  readonly lost: number;
  /** Says what is damaged, for a log; undefined if nothing is, as far as can be seen at the opening. */
  readonly damage: string | undefined;
}

/**
 * A store that is open. Each promise rejects with a SluiceError: `ERR_SLUICE_STORE_FAILED` if the system refuses (no
 * space on the device, a read-only file), with the system's error as its `cause`. The store stays open then, and a
 * later call may succeed. A store on a server may also reject with `ERR_SLUICE_FULL` (it has no memory left),
 * `ERR_SLUICE_STORE_LOCKED` (another process has taken it over), and `ERR_SLUICE_STORE_DAMAGED` (it is gone).
 */
export interface OpenStore {
  /** What the store had when it was opened. */
  readonly content: StoreContent;
  /**
   * Appends `entries`, at most 4,096, in the order of their numbers: all or none.
   *
   * @param entries The entries.
   * @returns A promise that is resolved when the entries are durable: they survive the end of the process and of the
   *   system at any later moment.
   * @throws SluiceError as described above.
   * @example
   * await opened.append([{ id: 1, lane: 0, bytes: encoded }]);
   */
  append(entries: readonly NewEntry[]): Promise<void>;
  /**
   * Returns the first entries of `lane` whose number is greater than `after`, at most `max` (1 to 4,096), in the order
   * of their numbers; fewer than `max` only if there are no more. Counts the delivery of each: see `StoredEntry`. They
   * stay in the store until they are removed.
   *
   * @param lane The lane: 0 to the number of lanes - 1.
   * @param after The number after which to begin; 0 for the first entry.
   * @param max The most entries: 1 to 4,096.
   * @returns The entries.
   * @throws SluiceError as described above.
   * @example
   * const [first] = await opened.take(0, 0, 1);
   */
  take(lane: number, after: number, max: number): Promise<StoredEntry[]>;
  /**
   * Removes the entries of `lane` with these numbers, at most 4,096. Numbers that the lane does not have change
   * nothing.
   *
   * @param lane The lane.
   * @param ids The numbers of the entries.
   * @returns A promise that is resolved when they are gone for good.
   * @throws SluiceError as described above.
   * @example
   * await opened.remove(0, [1]);
   */
  remove(lane: number, ids: readonly number[]): Promise<void>;
  /**
   * Ends the use of the store when the calls before are done. Another process, or another queue, can then open it.
   *
   * @returns A promise that is resolved when the store is closed.
   * @throws Nothing.
   * @example
   * await opened.close();
   */
  close(): Promise<void>;
}

/** A place for entries, not opened yet. `sqliteStore()`, `lmdbStore()` and `redisStore()` make one. */
export interface Store {
  /** Names the store in errors, for example by its path. */
  readonly name: string;
  /** The most entries it may have. The queue that spills keeps to it. */
  readonly maxRecords: number;
  /** The most bytes that its entries may have in all; a file is larger. The queue that spills keeps to it. */
  readonly maxBytes: number;
  /**
   * Opens the store, and makes it if there is none.
   *
   * @param format What the entries are.
   * @returns The open store.
   * @throws SluiceError `ERR_SLUICE_STORE_LOCKED` if another process, or another queue of this process, has it open;
   *   `ERR_SLUICE_SCHEMA` if its entries have another schema or number of lanes; `ERR_SLUICE_LAYOUT` if another version
   *   of sluice wrote it; `ERR_SLUICE_STORE_DAMAGED` if nothing of it can be read; `ERR_SLUICE_STORE_FAILED` if the
   *   system refuses, or something that the store needs is missing.
   * @example
   * const opened = await store.open({ schema: Order.schema, entryBytes: Order.bytes, lanes: 1 });
   */
  open(format: StoreFormat): Promise<OpenStore>;
}

/** The most entries of one `append`, `take` or `remove`. */
export const entriesMax = 4_096;
