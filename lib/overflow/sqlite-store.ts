import { resolve } from 'node:path';
import { optionError } from '../input/index.js';
import { storeError } from './errors.js';
import { checkedBounds, type StoreOptions } from './options.js';
import { sqliteSince } from './sqlite-engine.js';
import type { Store } from './store.js';
import { openThreaded } from './threaded-store.js';

/**
 * Keeps entries in a SQLite file, by `node:sqlite` (Node.js 22.13 and later). The file is written and read in a thread
 * of its own, so that no event loop waits for the disk. An append is durable: the write-ahead log is synchronized with
 * the device at each one. Each entry has a checksum. While the store is open, no other process, and no other queue, can
 * open it; the kernel ends that when the process ends, in whatever way.
 *
 * Beside the file are `<path>-wal` and, if a damaged file had to be written anew, `<path>.damaged-<time>` and the lock
 * `<path>.salvaging`; if only its log was left, `<path>.damaged-<time>-wal`. The files must be on a local file system.
 * While the store is open, no other part of the process may open them: on POSIX systems a process loses its locks on a
 * file when any part of it closes that file.
 *
 * @param path The path of the file, in a directory that exists. It is made if there is none.
 * @param options `maxRecords` and `maxBytes`: see `StoreOptions`.
 * @returns The store, not opened yet. One queue can use it.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option; SluiceError
 *   `ERR_SLUICE_STORE_FAILED` if this Node.js has no `node:sqlite`: use `lmdbStore`.
 * @example
 * const overflow = spill({ store: sqliteStore('./orders.db', { maxRecords: 100_000 }) });
 */
export function sqliteStore(path: string, options?: StoreOptions): Store {
  const where = 'sqliteStore';
  const bounds = checkedBounds(where, path, options);
  if (process.versions['sqlite'] === undefined) {
    const needs = `needs node:sqlite, which Node.js ${sqliteSince} and later have`;
    const running = `this is ${process.version}, for which there is lmdbStore()`;
    throw storeError('ERR_SLUICE_STORE_FAILED', where, `${needs}; ${running}`);
  }
  if (path === ':memory:') throw optionError(`${where}: path`, 'the path of a file', path, false);
  const absolute = resolve(path); // so that SQLite takes it for no URI, and a later chdir changes nothing
  return {
    name: path,
    ...bounds,
    open: (format) => openThreaded(path, { engine: 'sqlite', path: absolute, format }),
  };
}
