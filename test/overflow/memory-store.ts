import { SluiceError } from 'sluice';
import type { NewEntry, OpenStore, Store, StoredEntry, StoreFormat } from 'sluice/overflow';

interface Kept {
  lane: number;
  deliveries: number;
  bytes: Uint8Array;
}

/** A store in memory, whose calls the test lets succeed or fail, one by one. What it has outlives a queue. */
export class MemoryStore implements Store {
  readonly name = 'memory';
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly kept = new Map<number, Kept>();
  /** The sizes of the appends so far. */
  readonly appends: number[] = [];
  /** If set, calls with this name fail. */
  failing: 'append' | 'take' | 'remove' | 'close' | undefined;
  /** The code of their error. */
  code: 'ERR_SLUICE_STORE_FAILED' | 'ERR_SLUICE_FULL' = 'ERR_SLUICE_STORE_FAILED';
  /** If set, appends end when this is resolved. */
  gate: Promise<void> | undefined;
  /** Numbers of entries whose bytes are damaged. */
  readonly damaged = new Set<number>();
  /** Numbers of entries that are counted when the store is opened, and are not found. */
  readonly missing = new Set<number>();
  lastId = 0;
  isOpen = false;

  constructor(maxRecords = 1_000_000, maxBytes = 2 ** 30) {
    this.maxRecords = maxRecords;
    this.maxBytes = maxBytes;
  }

  async open({ lanes }: StoreFormat): Promise<OpenStore> {
    if (this.isOpen) throw new SluiceError('ERR_SLUICE_STORE_LOCKED', 'memory: open');
    this.isOpen = true;
    const counts = Array.from({ length: lanes }, (_, lane) => this.ids(lane).length);
    return {
      content: { lanes: counts, lastId: this.lastId, lost: 0, damage: undefined },
      append: async (entries) => this.#append(entries),
      take: async (lane, after, max) => this.#take(lane, after, max),
      remove: async (_, ids) => {
        this.#check('remove');
        for (const id of ids) this.kept.delete(id);
      },
      close: async () => {
        this.isOpen = false;
        this.#check('close');
      },
    };
  }

  /** The numbers of a lane's entries, in order. */
  ids(lane: number): number[] {
    return [...this.kept].filter(([, entry]) => entry.lane === lane).map(([id]) => id);
  }

  async #append(entries: readonly NewEntry[]): Promise<void> {
    const copies = entries.map(({ id, lane, bytes }) => ({ id, lane, bytes: bytes.slice() }));
    await this.gate;
    this.#check('append');
    this.appends.push(copies.length);
    for (const { id, lane, bytes } of copies) {
      if (id <= this.lastId) throw new Error(`number ${id} after ${this.lastId}`);
      this.lastId = id;
      this.kept.set(id, { lane, deliveries: 0, bytes });
    }
  }

  #take(lane: number, after: number, max: number): StoredEntry[] {
    this.#check('take');
    const ids = this.ids(lane).filter((id) => id > after && !this.missing.has(id));
    return ids.slice(0, max).map((id) => {
      const entry = this.kept.get(id) as Kept;
      entry.deliveries++;
      return { id, deliveries: entry.deliveries, bytes: this.damaged.has(id) ? undefined : entry.bytes };
    });
  }

  #check(call: string): void {
    if (this.failing === call) throw new SluiceError(this.code, `memory: no ${call}`);
  }
}
