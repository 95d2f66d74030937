import { storeError } from './errors.js';
import { endOf, idOf, keyOf } from './packed.js';
import { type Database, type DatabaseType, type Row, resultOf, results } from './sqlite-engine.js';
import type { StoreFormat } from './store.js';

/** Says that a SQLite file is a store of sluice: its `application_id`. Its `user_version` is the version below. */
const applicationId = 0x736c7563;
const layoutVersion = 1;

const tables = `
  CREATE TABLE entries
    (key INTEGER PRIMARY KEY, deliveries INTEGER NOT NULL, checksum INTEGER NOT NULL, bytes BLOB NOT NULL);
  CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${layoutVersion};`;

/** Opens the file and locks it. `store`: the path of the store, for errors. */
export function connect(engine: DatabaseType, path: string, store: string = path): Database {
  let db: Database | undefined;
  try {
    db = new engine(path);
    // The lock comes first: with a lock for good, the index of the write-ahead log is no file that could be damaged.
    db.exec('PRAGMA locking_mode = EXCLUSIVE');
    refuseForeign(db, store);
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    db.exec('BEGIN EXCLUSIVE; COMMIT');
    return db;
  } catch (error) {
    db?.close();
    throw failure(store, error);
  }
}

/** Throws if another program has made the file, before anything is written there: the next step notes a log in it. */
function refuseForeign(db: Database, path: string): void {
  if (isNew(db) || idOfProgram(db) === applicationId) return;
  throw storeError('ERR_SLUICE_LAYOUT', path, 'a SQLite file, but no store of sluice');
}

function idOfProgram(db: Database): Row[string] | undefined {
  return Object.values(db.prepare('PRAGMA application_id').get() ?? {})[0];
}

/** Makes the tables of a new file. */
export function format(db: Database, { schema, entryBytes, lanes }: StoreFormat): void {
  db.exec('BEGIN EXCLUSIVE');
  db.exec(tables);
  const note = db.prepare('INSERT INTO facts VALUES (?, ?)');
  note.run('schema', String(schema));
  note.run('entryBytes', entryBytes);
  note.run('lanes', lanes);
  db.exec('COMMIT');
}

/** Whether the file has no tables yet. */
export function isNew(db: Database): boolean {
  return numberIn(db.prepare('SELECT count(*) AS value FROM sqlite_schema').get()) === 0;
}

/** Throws unless the file is a store of this format. */
export function checkFormat(db: Database, path: string, { schema, entryBytes, lanes }: StoreFormat): void {
  const version = Object.values(db.prepare('PRAGMA user_version').get() ?? {})[0];
  if (version !== layoutVersion) {
    throw storeError('ERR_SLUICE_LAYOUT', path, `a store of another version of sluice (${version})`);
  }
  const facts = { schema: String(schema), entryBytes, lanes };
  for (const [name, expected] of Object.entries(facts)) {
    const found = factIn(db, name);
    if (found === expected) continue;
    throw storeError(
      'ERR_SLUICE_SCHEMA',
      path,
      `its entries have ${name} ${found}, the queue's have ${expected}`,
    );
  }
}

export function factIn(db: Database, name: string): Row[string] | undefined {
  return db.prepare('SELECT value FROM facts WHERE name = ?').get(name)?.['value'];
}

/** The key of a row of `entries`. */
export function keyIn(row: Row): number {
  return Number(row['key']);
}

/** The number of entries of `lane`. */
export function countOf(db: Database, lane: number): number {
  const count = db.prepare('SELECT count(*) AS value FROM entries WHERE key >= ? AND key < ?');
  return numberIn(count.get(keyOf(lane, 0), endOf(lane)));
}

/** The greatest number of an entry of `lane`; 0 if there is none. */
export function greatestId(db: Database, lane: number): number {
  const greatest = db.prepare('SELECT max(key) AS value FROM entries WHERE key >= ? AND key < ?');
  return idOf(numberIn(greatest.get(keyOf(lane, 0), endOf(lane))));
}

/** Returns what SQLite finds wrong with the file; undefined if it finds nothing. */
export function damageOf(db: Database): string | undefined {
  try {
    const found = Object.values(db.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
    return found === 'ok' ? undefined : String(found);
  } catch (error) {
    if (isDamage(error)) return (error as Error).message;
    throw error;
  }
}

export function isDamage(error: unknown): boolean {
  const result = resultOf(error);
  return result === results.corrupt || result === results.notADatabase;
}

/** Makes the error of a store from that of SQLite. Errors that are a store's already stay as they are. */
export function failure(path: string, error: unknown): unknown {
  const result = resultOf(error);
  if (result === undefined) return error;
  const { message } = error as Error;
  if (result === results.busy) {
    return storeError(
      'ERR_SLUICE_STORE_LOCKED',
      path,
      'another process, or another queue, has it open',
      error,
    );
  }
  if (isDamage(error)) return storeError('ERR_SLUICE_STORE_DAMAGED', path, message, error);
  return storeError('ERR_SLUICE_STORE_FAILED', path, message, error);
}

function numberIn(row: Row | undefined): number {
  return Number(row?.['value'] ?? 0);
}
