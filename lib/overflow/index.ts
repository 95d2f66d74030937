/**
 * Stores for the records that a queue has no room for.
 *
 * @module sluice/overflow
 */
export { lmdbStore } from './lmdb-store.js';
export type { StoreOptions } from './options.js';
export { Spill, type SpillOptions, type SpillStats, spill } from './spill.js';
export { sqliteStore } from './sqlite-store.js';
export type {
  NewEntry,
  OpenStore,
  Store,
  StoreContent,
  StoredEntry,
  StoreFormat,
} from './store.js';
