import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { storeError } from './errors.js';
import { leaveFile, takeFile } from './file-owner.js';
import { checksumOf, endOf, idOf, keyOf, type PackedEntries } from './packed.js';
import { checkPlain } from './plain-file.js';
import type { StoreContent, StoreFormat } from './store.js';
import { type StoreFile, type TakenEntries, takenOf } from './store-file.js';

const layoutVersion = 1;

/** The part of the package `lmdb` that sluice uses. */
interface Table {
  get(key: number | string): unknown;
  putSync(key: number | string, value: unknown): unknown;
  removeSync(key: number | string): boolean;
  getRange(range: Range): Iterable<{ readonly key: number; readonly value: Uint8Array }>;
  getKeysCount(range: Range): number;
  getKeys(range: Range): Iterable<number>;
}
export interface Environment extends Table {
  openDB(options: { name: string; encoding: string }): Table;
  transactionSync<T>(action: () => T): T;
  close(): Promise<void>;
}
interface Range {
  readonly start?: number;
  readonly end?: number;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** In front of an entry's bytes: the count of its deliveries and its checksum. */
const valueAt = { deliveries: 0, checksum: 4, bytes: 8 } as const;

/**
 * The LMDB file of a store.
 *
 * An entry is a value: deliveries, checksum, bytes. The table `facts` has the format, the greatest number so far, the
 * number of entries, so that entries that are lost show, and the thread that has the file open. LMDB lets several
 * processes use one file at a time, so the latter is the lock: see file-owner.ts.
 */
export class LmdbFile implements StoreFile {
  readonly content: StoreContent;
  readonly #path: string;
  readonly #entryBytes: number;
  readonly #db: Environment;
  readonly #facts: Table;
  #count = 0;
  #lastId = 0;

  /** Opens the file, and makes it if there is none. See `Store.open` for the errors. */
  static async open(path: string, format: StoreFormat): Promise<LmdbFile> {
    // LMDB would make the directories.
    if (!existsSync(dirname(path))) {
      throw storeError('ERR_SLUICE_STORE_FAILED', path, 'its directory does not exist');
    }
    checkPlain(path, '-lock');
    const damage = completed(path);
    const { open } = await load(path);
    let db: Environment;
    try {
      db = open({ path, noSubdir: true, encoding: 'binary', maxDbs: 2 });
    } catch (error) {
      throw failure(path, error);
    }
    try {
      return new LmdbFile(db, path, format, damage);
    } catch (error) {
      await db.close();
      throw failure(path, error);
    }
  }

  private constructor(db: Environment, path: string, format: StoreFormat, damage: string | undefined) {
    this.#path = path;
    this.#entryBytes = format.entryBytes;
    this.#db = db;
    refuseForeign(db, path);
    this.#facts = db.openDB({ name: 'facts', encoding: 'json' });
    db.transactionSync(() => takeFile(this.#facts, path));
    try {
      this.#checkFormat(format);
      const lanes = Array.from({ length: format.lanes }, (_, lane) => {
        const range = { start: keyOf(lane, 0), end: endOf(lane) };
        return db.getKeysCount(range);
      });
      const [greatest = 0] = lanes.flatMap((_, lane) => this.#greatestId(lane)).sort((a, b) => b - a);
      this.#count = lanes.reduce((sum, count) => sum + count, 0);
      this.#lastId = Math.max(Number(this.#facts.get('lastId') ?? 0), greatest);
      const lost = Math.max(0, Number(this.#facts.get('count') ?? 0) - this.#count);
      this.content = { lanes, lastId: this.#lastId, lost, damage };
      this.#transaction(() => {});
    } catch (error) {
      this.#leave();
      throw error;
    }
  }

  append({ ids, lanes, bytes }: PackedEntries): void {
    const each = this.#entryBytes;
    this.#transaction(() => {
      for (const [i, id] of ids.entries()) {
        this.#put(keyOf(lanes[i] as number, id), 0, bytes.subarray(i * each, (i + 1) * each));
      }
      this.#count += ids.length;
      this.#lastId = Math.max(this.#lastId, ids.at(-1) ?? 0);
    });
  }

  take(lane: number, after: number, max: number): TakenEntries {
    const range = { start: keyOf(lane, after + 1), end: endOf(lane), limit: max };
    return this.#transaction(() => {
      const entries = Array.from(this.#db.getRange(range), ({ key, value }) => {
        const words = new DataView(value.buffer, value.byteOffset, value.byteLength);
        const isWhole = value.byteLength === valueAt.bytes + this.#entryBytes;
        const deliveries = isWhole ? words.getUint32(valueAt.deliveries) + 1 : 1;
        const bytes = Uint8Array.from(value.subarray(valueAt.bytes));
        const isIntact = isWhole && words.getUint32(valueAt.checksum) === checksumOf(key, bytes);
        return { key, id: idOf(key), deliveries, bytes: isIntact ? bytes : undefined };
      });
      for (const { key, deliveries, bytes } of entries) {
        if (bytes !== undefined) this.#put(key, deliveries, bytes);
      }
      return takenOf(entries, this.#entryBytes);
    });
  }

  remove(lane: number, ids: Float64Array<ArrayBuffer>): void {
    this.#transaction(() => {
      for (const id of ids) this.#count -= Number(this.#db.removeSync(keyOf(lane, id)));
    });
  }

  close(): void {
    this.#leave();
    void this.#db.close();
  }

  #put(key: number, deliveries: number, bytes: Uint8Array): void {
    const value = Buffer.alloc(valueAt.bytes + this.#entryBytes);
    value.writeUInt32BE(Math.min(deliveries, 0xffff_fffe), valueAt.deliveries);
    value.writeUInt32BE(checksumOf(key, bytes), valueAt.checksum);
    value.set(bytes, valueAt.bytes);
    this.#db.putSync(key, value);
  }

  #greatestId(lane: number): number[] {
    const range = { start: endOf(lane), end: keyOf(lane, 0), reverse: true, limit: 1 };
    return Array.from(this.#db.getKeys(range), idOf);
  }

  #checkFormat({ schema, entryBytes, lanes }: StoreFormat): void {
    const facts = { version: layoutVersion, schema: String(schema), entryBytes, lanes };
    if (this.#facts.get('version') === undefined) {
      // In one transaction, because the process may be killed between two.
      this.#db.transactionSync(() => {
        for (const [name, value] of Object.entries(facts)) this.#facts.putSync(name, value);
      });
      return;
    }
    for (const [name, expected] of Object.entries(facts)) {
      const found = this.#facts.get(name);
      if (found === expected) continue;
      const code = name === 'version' ? 'ERR_SLUICE_LAYOUT' : 'ERR_SLUICE_SCHEMA';
      throw storeError(code, this.#path, `its entries have ${name} ${found}, the queue's have ${expected}`);
    }
  }

  #leave(): void {
    try {
      this.#db.transactionSync(() => leaveFile(this.#facts));
    } catch {
      // The disk is full, for example. The owner is found to have ended when the process has.
    }
  }

  /** Makes all changes of `change` durable, with the facts; or none of them, if something fails. */
  #transaction<T>(change: () => T): T {
    const [count, lastId] = [this.#count, this.#lastId];
    try {
      return this.#db.transactionSync(() => {
        const result = change();
        this.#facts.putSync('count', this.#count);
        this.#facts.putSync('lastId', this.#lastId);
        return result;
      });
    } catch (error) {
      this.#count = count;
      this.#lastId = lastId;
      throw failure(this.#path, error);
    }
  }
}

/**
 * Throws if another program has written the file, before anything is written there. The greatest key of a store is the
 * name of its table: the keys of entries are numbers, which come before all names.
 */
function refuseForeign(db: Environment, path: string): void {
  const [greatest] = Array.from<unknown>(db.getKeys({ reverse: true, limit: 1 }));
  if (greatest === undefined || greatest === 'facts') return;
  throw storeError('ERR_SLUICE_LAYOUT', path, 'an LMDB file, but no store of sluice');
}

async function load(path: string): Promise<{ open: (options: object) => Environment }> {
  try {
    return (await import('lmdb')) as unknown as { open: (options: object) => Environment };
  } catch (error) {
    throw storeError('ERR_SLUICE_STORE_FAILED', path, 'needs the package lmdb: npm install lmdb@3', error);
  }
}

function failure(path: string, error: unknown): unknown {
  const { code, message } = error as Error & { readonly code?: unknown };
  if (typeof code === 'string' && code.startsWith('ERR_SLUICE_')) return error;
  const damaged = /MDB_(CORRUPTED|INVALID|PAGE_NOTFOUND|VERSION_MISMATCH|PANIC|BAD_TXN)/.test(message);
  return storeError(damaged ? 'ERR_SLUICE_STORE_DAMAGED' : 'ERR_SLUICE_STORE_FAILED', path, message, error);
}

/** Offsets in the two pages at the beginning of a file, of which the one with the greater transaction is in force. */
const metaAt = { magic: 24, pageSize: 48, lastPage: 144, transaction: 152, bytes: 160 } as const;
const magic = 0xbeefc0de;

/**
 * Adds zeros at the end of a file that lacks pages, because it was cut off: LMDB reads it as memory, and a process that
 * reads memory without a page behind it ends at once. Returns what is wrong with the file; undefined if nothing is.
 */
function completed(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r+');
  } catch {
    return undefined; // there is none, or LMDB will say what is wrong
  }
  try {
    const { size } = fstatSync(file);
    const needed = neededBytes(file);
    if (needed === 0 && size > 0) {
      throw storeError('ERR_SLUICE_STORE_DAMAGED', path, 'no LMDB file, or its beginning is damaged');
    }
    if (size >= needed) return undefined;
    ftruncateSync(file, needed);
    return `its file was cut off: ${size} of ${needed} bytes are left`;
  } finally {
    closeSync(file);
  }
}

function neededBytes(file: number): number {
  const page = Buffer.alloc(metaAt.bytes);
  let needed = 0;
  let newest = -1n;
  let at = 0;
  for (let meta = 0; meta < 2; meta++) {
    if (readSync(file, page, 0, page.length, at) < page.length) break;
    if (page.readUInt32LE(metaAt.magic) !== magic) break;
    const pageSize = page.readUInt32LE(metaAt.pageSize);
    const transaction = page.readBigUInt64LE(metaAt.transaction);
    if (transaction > newest) {
      newest = transaction;
      needed = (Number(page.readBigUInt64LE(metaAt.lastPage)) + 1) * pageSize;
    }
    at = pageSize;
  }
  return needed;
}
