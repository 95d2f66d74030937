import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import type { Database, DatabaseType, Row } from './sqlite-engine.js';
import { connect, damageOf, factIn, format, isDamage, keyIn } from './sqlite-format.js';
import type { StoreFormat } from './store.js';

/** How many rows are copied in one transaction. */
const step = 1_024;

/**
 * Copies what can still be read of a damaged file into a new file, and puts that in its place. The damaged file stays
 * beside it, as `<path>.damaged-<time>`. Closes `damaged`. Returns the new file, open and locked.
 *
 * One process at a time does so: before the new file has its place, the old one must be closed, and another process
 * could open it then, and would put a copy of its own in the place of the new file. So the file is looked at once more
 * when no other process does so.
 *
 * Rows are read one by one in the order of their keys. Where SQLite finds damage, the search for the next readable row
 * goes on at keys that are further and further away, then back to the first one that can be read.
 */
export function salvage(
  engine: DatabaseType,
  path: string,
  damaged: Database,
  shape: StoreFormat,
  greatestKey: number,
): Database {
  closeQuietly(damaged);
  return alone(engine, path, () => {
    putInPlace(path);
    const found = connect(engine, path);
    if (damageOf(found) === undefined) return found; // another process has mended it meanwhile
    const fresh = `${path}.salvage`;
    for (const file of [fresh, `${fresh}-wal`, `${fresh}-shm`]) rmSync(file, { force: true });
    const copy = connect(engine, fresh);
    try {
      format(copy, shape);
      copyRows(found, copy, greatestKey);
      copyFacts(found, copy);
    } finally {
      copy.close();
      closeQuietly(found);
    }
    renameSync(fresh, complete(path));
    putInPlace(path);
    return connect(engine, path);
  });
}

/** A copy of this name is complete. */
function complete(path: string): string {
  return `${path}.salvaged`;
}

/** Puts a complete copy in its place, which a process that was killed has left. */
export function finishSalvage(engine: DatabaseType, path: string): void {
  if (existsSync(complete(path))) alone(engine, path, () => putInPlace(path));
}

function putInPlace(path: string): void {
  if (!existsSync(complete(path))) return;
  if (existsSync(path)) renameSync(path, damagedName(path));
  rmSync(`${path}-wal`, { force: true }); // what it has is in the copy
  renameSync(complete(path), path);
}

function damagedName(path: string): string {
  return `${path}.damaged-${Date.now()}`;
}

/**
 * Keeps a log whose file is empty or missing, as `<path>.damaged-<time>-wal`: SQLite would remove it without a word,
 * with all transactions that it has. Returns what is damaged, in words; undefined if there is no such log.
 */
export function keepOrphan(engine: DatabaseType, path: string): string | undefined {
  if (!hasOrphan(path)) return undefined;
  return alone(engine, path, () => {
    if (!hasOrphan(path)) return undefined; // another process has kept it meanwhile
    renameSync(`${path}-wal`, `${damagedName(path)}-wal`);
    return 'it is empty, but its write-ahead log is not';
  });
}

/** SQLite gives a new file its first page before it begins a log. */
function hasOrphan(path: string): boolean {
  return sizeOf(`${path}-wal`) > 0 && sizeOf(path) === 0;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * Calls `mend` while no other process does so to this file. The lock is one of SQLite's on a file beside it, which the
 * kernel takes back when the process ends. That file stays: whoever removed it might remove the lock of another one.
 *
 * @throws SluiceError `ERR_SLUICE_STORE_LOCKED` if another process does.
 */
function alone<T>(engine: DatabaseType, path: string, mend: () => T): T {
  const lock = connect(engine, `${path}.salvaging`, path);
  try {
    return mend();
  } finally {
    lock.close();
  }
}

function copyRows(from: Database, to: Database, greatestKey: number): void {
  const next = from.prepare(
    'SELECT key, deliveries, checksum, bytes FROM entries WHERE key >= ? ORDER BY key LIMIT 1',
  );
  next.setReadBigInts(true);
  /** Returns the first row whose key is `key` or greater. Where pages are in the wrong place, SQLite finds others. */
  const rowFrom = (key: number): Row | 'damaged' | undefined => {
    const row = readable(() => next.get(key));
    return row !== undefined && row !== 'damaged' && keyIn(row) < key ? 'damaged' : row;
  };
  const insert = to.prepare('INSERT INTO entries VALUES (?, ?, ?, ?)');
  to.exec('BEGIN');
  let copied = 0;
  for (let key = 0; key <= greatestKey; ) {
    const row = rowFrom(key);
    if (row === 'damaged') {
      key = firstReadable((at) => rowFrom(at) !== 'damaged', key, greatestKey);
      continue;
    }
    if (row === undefined) break;
    const { deliveries = 0, checksum = 0, bytes = '' } = row;
    insert.run(keyIn(row), deliveries, checksum, bytes);
    key = keyIn(row) + 1;
    if (++copied % step === 0) to.exec('COMMIT; BEGIN');
  }
  to.exec('COMMIT');
}

function copyFacts(from: Database, to: Database): void {
  const note = to.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)');
  for (const name of ['count', 'lastId']) {
    const value = readable(() => factIn(from, name));
    if (typeof value === 'number') note.run(name, value);
  }
}

/** Returns the first key behind `key` at which `isReadable` (it is not at `key`), or a key above `greatest`. */
function firstReadable(isReadable: (key: number) => boolean, key: number, greatest: number): number {
  let unreadable = key;
  let distance = 1;
  while (unreadable + distance <= greatest && !isReadable(unreadable + distance)) {
    unreadable += distance;
    distance *= 2;
  }
  let found = unreadable + distance;
  if (found > greatest) return found;
  while (found - unreadable > 1) {
    const middle = unreadable + Math.floor((found - unreadable) / 2);
    if (isReadable(middle)) found = middle;
    else unreadable = middle;
  }
  return found;
}

/** Returns what `read` returns, or 'damaged' if SQLite finds that the part of the file that it reads is damaged. */
function readable<T>(read: () => T): T | 'damaged' {
  try {
    return read();
  } catch (error) {
    if (isDamage(error)) return 'damaged';
    throw error;
  }
}

function closeQuietly(db: Database): void {
  try {
    db.close();
  } catch {
    // It is damaged: what could be read of it is in the copy.
  }
}
