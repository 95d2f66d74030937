import { storeError } from './errors.js';
import { checksumOf, endOf, idOf, keyOf, type PackedEntries } from './packed.js';
import { checkPlain } from './plain-file.js';
import {
  type Database,
  type DatabaseType,
  loadSqlite,
  type Row,
  type Statement,
  sqliteSince,
} from './sqlite-engine.js';
import {
  checkFormat,
  connect,
  countOf,
  damageOf,
  factIn,
  failure,
  format,
  greatestId,
  isNew,
  keyIn,
} from './sqlite-format.js';
import { finishSalvage, keepOrphan, salvage } from './sqlite-salvage.js';
import { damageOfLog } from './sqlite-wal.js';
import type { StoreContent, StoreFormat } from './store.js';
import { type StoreFile, type TakenEntries, takenOf } from './store-file.js';

/**
 * The SQLite file of a store.
 *
 * An entry is a row of `entries`. The table `facts` has the format, the greatest number so far, and the number of rows,
 * so that rows that are lost show. The file is locked as long as it is open (`locking_mode` EXCLUSIVE); the kernel
 * takes the lock back when the process ends, in whatever way. A process loses a lock of that kind if any part of it
 * closes the same file: nothing else in the process may open it.
 */
export class SqliteFile implements StoreFile {
  readonly content: StoreContent;
  readonly #path: string;
  readonly #entryBytes: number;
  readonly #db: Database;
  readonly #insert: Statement;
  readonly #select: Statement;
  readonly #deliver: Statement;
  readonly #delete: Statement;
  readonly #note: Statement;
  #count = 0;
  #lastId = 0;

  /** Opens the file, and makes it if there is none. See `Store.open` for the errors. */
  static async open(path: string, format: StoreFormat): Promise<SqliteFile> {
    checkPlain(path, '-wal');
    const engine = loadSqlite();
    if (engine !== undefined) return new SqliteFile(engine, path, format);
    throw storeError('ERR_SLUICE_STORE_FAILED', path, `needs Node.js ${sqliteSince}, which has node:sqlite`);
  }

  private constructor(engine: DatabaseType, path: string, shape: StoreFormat) {
    this.#path = path;
    this.#entryBytes = shape.entryBytes;
    const { db, damage } = opened(engine, path, shape);
    this.#db = db;
    try {
      this.#insert = db.prepare('INSERT INTO entries VALUES (?, 0, ?, ?)');
      this.#select = db.prepare(
        'SELECT key, deliveries, checksum, bytes FROM entries WHERE key > ? AND key < ? ORDER BY key LIMIT ?',
      );
      this.#select.setReadBigInts(true);
      this.#deliver = db.prepare(
        'UPDATE entries SET deliveries = deliveries + 1 WHERE key >= ? AND key <= ?',
      );
      this.#delete = db.prepare('DELETE FROM entries WHERE key = ?');
      this.#note = db.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)');
      const lanes = Array.from({ length: shape.lanes }, (_, lane) => countOf(db, lane));
      const ids = lanes.map((_, lane) => greatestId(db, lane));
      const counted = Number(factIn(db, 'count') ?? 0);
      this.#count = lanes.reduce((sum, count) => sum + count, 0);
      this.#lastId = Math.max(Number(factIn(db, 'lastId') ?? 0), ...ids);
      const lost = Math.max(0, counted - this.#count);
      this.content = { lanes, lastId: this.#lastId, lost, damage };
      this.#transaction(() => {});
    } catch (error) {
      db.close();
      throw failure(path, error);
    }
  }

  append({ ids, lanes, bytes }: PackedEntries): void {
    const each = this.#entryBytes;
    this.#transaction(() => {
      for (const [i, id] of ids.entries()) {
        const key = keyOf(lanes[i] as number, id);
        const entry = bytes.subarray(i * each, (i + 1) * each);
        this.#insert.run(key, checksumOf(key, entry), entry);
      }
      this.#count += ids.length;
      this.#lastId = Math.max(this.#lastId, ids.at(-1) ?? 0);
    });
  }

  take(lane: number, after: number, max: number): TakenEntries {
    const each = this.#entryBytes;
    const rows = this.#rows(lane, after, max);
    const entries = rows.map((row) => {
      const { deliveries, checksum, bytes } = row;
      const key = keyIn(row);
      const isIntact =
        bytes instanceof Uint8Array && bytes.length === each && Number(checksum) === checksumOf(key, bytes);
      return { id: idOf(key), deliveries: Number(deliveries) + 1, bytes: isIntact ? bytes : undefined };
    });
    const [first, last] = [rows[0], rows.at(-1)];
    if (first !== undefined && last !== undefined) {
      this.#transaction(() => this.#deliver.run(keyIn(first), keyIn(last)));
    }
    return takenOf(entries, each);
  }

  remove(lane: number, ids: Float64Array<ArrayBuffer>): void {
    this.#transaction(() => {
      for (const id of ids) {
        const { changes } = this.#delete.run(keyOf(lane, id)) as { readonly changes: number | bigint };
        this.#count -= Number(changes);
      }
    });
  }

  close(): void {
    this.#db.close();
  }

  #rows(lane: number, after: number, max: number): Row[] {
    try {
      return this.#select.all(keyOf(lane, after), endOf(lane), max);
    } catch (error) {
      throw failure(this.#path, error);
    }
  }

  /** Makes all changes of `change` durable, with the facts; or none of them, if something fails. */
  #transaction(change: () => void): void {
    const [count, lastId] = [this.#count, this.#lastId];
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      change();
      this.#note.run('count', this.#count);
      this.#note.run('lastId', this.#lastId);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#count = count;
      this.#lastId = lastId;
      try {
        this.#db.exec('ROLLBACK');
      } catch {
        // SQLite has ended the transaction by itself, or has not begun it.
      }
      throw failure(this.#path, error);
    }
  }
}

/** Opens and checks the file, and makes it or writes it anew if need be. Returns what is damaged, in words. */
function opened(
  engine: DatabaseType,
  path: string,
  shape: StoreFormat,
): { db: Database; damage: string | undefined } {
  finishSalvage(engine, path);
  const orphan = keepOrphan(engine, path);
  const db = connect(engine, path);
  try {
    const log = orphan ?? damageOfLog(`${path}-wal`);
    if (isNew(db)) {
      format(db, shape);
      return { db, damage: log }; // a log that is damaged may have had all that was in the file
    }
    checkFormat(db, path, shape);
    const damage = damageOf(db);
    if (damage === undefined) return { db, damage: log };
    return { db: salvage(engine, path, db, shape, keyOf(shape.lanes, 0)), damage };
  } catch (error) {
    try {
      db.close();
    } catch {
      // salvage() has closed it.
    }
    throw failure(path, error);
  }
}
