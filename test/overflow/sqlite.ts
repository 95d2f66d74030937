import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { packed } from '../../dist/overflow/packed.js';
import { type Database, type DatabaseType, loadSqlite } from '../../dist/overflow/sqlite-engine.js';
import { SqliteFile } from '../../dist/overflow/sqlite-file.js';
import type { StoreFormat } from '../../dist/overflow/store.js';
import { temporary } from './temporary.js';

export const format: StoreFormat = { schema: 7n, entryBytes: 64, lanes: 2 };
export const pageBytes = 4_096;

export function newPath(): string {
  return join(temporary(), 'a.db');
}

export const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Opens a file, which is closed when the test has finished. */
export async function opened(path: string, changes: Partial<StoreFormat> = {}): Promise<SqliteFile> {
  const file = await SqliteFile.open(path, { ...format, ...changes });
  onTestFinished(() => {
    try {
      file.close();
    } catch {
      // The test has closed it.
    }
  });
  return file;
}

export function bytesOf(id: number): Uint8Array {
  return Buffer.from(`entry ${String(id).padStart(9, '0')}, `.repeat(4).slice(0, format.entryBytes));
}

export function append(file: SqliteFile, lane: number, ...ids: number[]): void {
  const entries = ids.map((id) => ({ id, lane, bytes: bytesOf(id) }));
  file.append(packed(entries, format.entryBytes));
}

/** What `take` returns, as [id, deliveries, 'intact' or 'damaged']. Fails if bytes are others than were appended. */
export function taken(file: SqliteFile, lane: number, after = 0, max = 4_096): unknown[] {
  const { ids, deliveries, intact, bytes } = file.take(lane, after, max);
  return Array.from(ids, (id, i) => {
    const each = bytes.subarray(i * format.entryBytes, (i + 1) * format.entryBytes);
    if (intact[i] !== 1) return [id, deliveries[i], 'damaged'];
    return [id, deliveries[i], Buffer.compare(each, bytesOf(id)) === 0 ? 'intact' : 'other bytes'];
  });
}

export function idsIn(file: SqliteFile, lane: number): number[] {
  return [...file.take(lane, 0, 4_096).ids];
}

/** Changes the file as another program would, while no store has it open. */
export function change(path: string, act: (db: Database) => void): void {
  const db = new (loadSqlite() as DatabaseType)(path);
  try {
    act(db);
  } finally {
    db.close();
  }
}

/** What a test does in place of a call of SQLite. The connection's own method does what it would have done. */
export interface Watch {
  exec?: ((sql: string, exec: (sql: string) => void, db: Database) => void) | undefined;
  prepare?: ((sql: string) => void) | undefined;
}

/** Watches the connections that are made from now on, until the test has finished. */
export function watched(): Watch {
  const watch: Watch = {};
  class Watched extends (loadSqlite() as DatabaseType) {
    override exec(sql: string): void {
      const exec = (given: string): void => super.exec(given);
      if (watch.exec === undefined) exec(sql);
      else watch.exec(sql, exec, this);
    }

    override prepare(sql: string): ReturnType<Database['prepare']> {
      watch.prepare?.(sql);
      return super.prepare(sql);
    }
  }
  const builtin = { DatabaseSync: Watched } as unknown as ReturnType<typeof process.getBuiltinModule>;
  const spy = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(builtin);
  onTestFinished(() => spy.mockRestore());
  return watch;
}

/** An error as SQLite would throw it. */
export function sqliteError(errcode: number, message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode });
}

/** Writes bytes over a page of the file: `page` counts from 0. */
export function overwrite(
  path: string,
  page: number,
  bytes: Uint8Array = new Uint8Array(pageBytes).fill(255),
): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, page * pageBytes);
  closeSync(file);
}

export function pageOf(path: string, page: number): Uint8Array {
  const file = openSync(path, 'r');
  const bytes = new Uint8Array(pageBytes);
  readSync(file, bytes, 0, pageBytes, page * pageBytes);
  closeSync(file);
  return bytes;
}

/** The page of a file that has the bytes of an entry. */
export function pageIn(file: Buffer, id: number): number {
  const at = file.indexOf(bytesOf(id));
  if (at < 0) throw new Error(`no entry ${id}`);
  return Math.floor(at / pageBytes);
}
