import { existsSync, renameSync, rmSync } from 'node:fs';
import type { Database, DatabaseType } from './sqlite-engine.js';
import { connect, factIn, format, isDamage } from './sqlite-format.js';
import type { StoreFormat } from './store.js';

/** How many rows are copied in one transaction. */
const step = 1_024;

/**
 * Copies what can still be read of a damaged file into a new file, and puts that in its place. The damaged file stays
 * beside it, as `<path>.damaged-<time>`. Closes `damaged`. Returns the new file, open and locked.
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
  const fresh = `${path}.salvage`;
  for (const file of [fresh, `${fresh}-wal`, `${fresh}-shm`]) rmSync(file, { force: true });
  const copy = connect(engine, fresh);
  try {
    format(copy, shape);
    copyRows(damaged, copy, greatestKey);
    copyFacts(damaged, copy);
  } finally {
    copy.close();
    closeQuietly(damaged);
  }
  renameSync(fresh, complete(path));
  finishSalvage(path);
  return connect(engine, path);
}

/** A copy of this name is complete. */
function complete(path: string): string {
  return `${path}.salvaged`;
}

/**
 * Puts a complete copy in the place of the damaged file. A process that is killed meanwhile leaves this to the next one
 * that opens the file.
 */
export function finishSalvage(path: string): void {
  if (!existsSync(complete(path))) return;
  if (existsSync(path)) renameSync(path, `${path}.damaged-${Date.now()}`);
  rmSync(`${path}-wal`, { force: true }); // what it has is in the copy
  renameSync(complete(path), path);
}

function copyRows(from: Database, to: Database, greatestKey: number): void {
  const next = from.prepare(
    'SELECT key, deliveries, checksum, bytes FROM entries WHERE key >= ? ORDER BY key LIMIT 1',
  );
  const insert = to.prepare('INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)');
  to.exec('BEGIN');
  let copied = 0;
  for (let key = 0; key <= greatestKey; ) {
    const row = readable(() => next.get(key));
    if (row === 'damaged') {
      key = firstReadable((at) => readable(() => next.get(at)) !== 'damaged', key, greatestKey);
      continue;
    }
    if (row === undefined) break;
    const { key: found, deliveries, checksum, bytes } = row as Record<string, number | Uint8Array>;
    insert.run(found as number, deliveries as number, checksum as number, bytes as Uint8Array);
    key = (found as number) + 1;
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
