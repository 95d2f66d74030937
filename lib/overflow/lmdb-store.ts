import { resolve } from 'node:path';
import { checkedBounds, type StoreOptions } from './options.js';
import type { Store } from './store.js';
import { openThreaded } from './threaded-store.js';

/**
 * Keeps entries in an LMDB file, by the package `lmdb` (3.5 or later), which a program installs beside sluice. It is
 * for Node.js 20, which has no `node:sqlite`; elsewhere `sqliteStore` finds more kinds of damage. It is as durable, and
 * has a thread of its own as well. Each entry has a checksum.
 *
 * The file says which process has it open. A process that has ended in any way counts no more; two processes that see
 * different process numbers, such as two containers with one volume, do not recognize each other. LMDB trusts the
 * structure of its file: where that is damaged, opening the store is refused, and in the worst case the process ends. A
 * worker that owns the queue must close the overflow before it is terminated: see docs/guide/overflow.md.
 *
 * @param path The path of the file, in a directory that exists. It is made if there is none, and `<path>-lock` beside
 *   it.
 * @param options `maxRecords` and `maxBytes`: see `StoreOptions`.
 * @returns The store, not opened yet. One queue can use it.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option. Without the package, opening it
 *   fails with SluiceError `ERR_SLUICE_STORE_FAILED`.
 * @example
 * const overflow = spill({ store: lmdbStore('./orders.mdb', { maxRecords: 100_000 }) });
 */
export function lmdbStore(path: string, options?: StoreOptions): Store {
  const bounds = checkedBounds('lmdbStore', path, options);
  const absolute = resolve(path);
  return {
    name: path,
    ...bounds,
    open: (format) => openThreaded(path, { engine: 'lmdb', path: absolute, format }),
  };
}
