import { crc32 } from 'node:zlib';
import type { NewEntry } from './store.js';

/**
 * Entries side by side in buffers of their own, as they cross from one thread to another: the numbers, and `entryBytes`
 * bytes for each.
 */
export interface PackedEntries {
  readonly ids: Float64Array<ArrayBuffer>;
  readonly lanes: Uint8Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export function packed(entries: readonly NewEntry[], entryBytes: number): PackedEntries {
  const ids = new Float64Array(entries.length);
  const lanes = new Uint8Array(entries.length);
  const bytes = new Uint8Array(entries.length * entryBytes);
  for (const [i, entry] of entries.entries()) {
    ids[i] = entry.id;
    lanes[i] = entry.lane;
    bytes.set(entry.bytes, i * entryBytes);
  }
  return { ids, lanes, bytes };
}

/** One more than the greatest number of an entry, and the distance between the keys of two lanes. */
const idEnd = 2 ** 50;

/** An engine's key for an entry: the lanes one after another, and in a lane the numbers in order. It is exact. */
export function keyOf(lane: number, id: number): number {
  return lane * idEnd + id;
}

export function idOf(key: number): number {
  return key % idEnd;
}

/** The first key behind those of `lane`. */
export function endOf(lane: number): number {
  return (lane + 1) * idEnd;
}

const keyBytes = new Uint8Array(Float64Array.BYTES_PER_ELEMENT);
const keyWord = new Float64Array(keyBytes.buffer);

/** A checksum over an entry's bytes and its key, so that bytes under another entry's key are damaged, too. */
export function checksumOf(key: number, bytes: Uint8Array): number {
  keyWord.fill(key);
  return crc32(bytes, crc32(keyBytes));
}
