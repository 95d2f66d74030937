import type { PackedEntries } from './packed.js';
import type { StoreContent } from './store.js';

/** What `take` returns, as it crosses to another thread. Where `intact` is 0, the bytes are damaged. */
export interface TakenEntries {
  readonly ids: Float64Array<ArrayBuffer>;
  readonly deliveries: Float64Array<ArrayBuffer>;
  readonly intact: Uint8Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The file of a store, as the store's thread uses it. The methods are those of `OpenStore`, but they block, and each is
 * one transaction, which is durable when the method returns.
 */
export interface StoreFile {
  readonly content: StoreContent;
  append(entries: PackedEntries): void;
  take(lane: number, after: number, max: number): TakenEntries;
  remove(lane: number, ids: Float64Array<ArrayBuffer>): void;
  close(): void;
}

/** An entry as an engine has it. `bytes`: undefined if they are damaged. */
export interface ReadEntry {
  readonly id: number;
  readonly deliveries: number;
  readonly bytes: Uint8Array | undefined;
}

export function takenOf(entries: readonly ReadEntry[], entryBytes: number): TakenEntries {
  const taken = {
    ids: Float64Array.from(entries, ({ id }) => id),
    deliveries: Float64Array.from(entries, ({ deliveries }) => deliveries),
    intact: Uint8Array.from(entries, ({ bytes }) => Number(bytes !== undefined)),
    bytes: new Uint8Array(entries.length * entryBytes),
  };
  for (const [i, { bytes }] of entries.entries()) {
    if (bytes !== undefined) taken.bytes.set(bytes, i * entryBytes);
  }
  return taken;
}
