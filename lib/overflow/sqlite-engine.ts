/** The part of `node:sqlite` that sluice uses. The types of Node 20, which has no such module, lack it. */

type Value = number | bigint | string | Uint8Array | null;
export type Row = Readonly<Record<string, Value>>;

export interface Statement {
  run(...values: readonly Value[]): unknown;
  get(...values: readonly Value[]): Row | undefined;
  all(...values: readonly Value[]): Row[];
  /** Returns whole numbers as bigints: without this, a row with one beyond 2^53 cannot be read. */
  setReadBigInts(enabled: boolean): void;
}

export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

export type DatabaseType = new (path: string) => Database;

/** The first release of Node.js that has `node:sqlite` without a flag. */
export const sqliteSince = '22.13';

/** Loads `node:sqlite`. Returns undefined if this Node.js has none. */
export function loadSqlite(): DatabaseType | undefined {
  const loaded: unknown = process.getBuiltinModule('node:sqlite');
  return (loaded as { readonly DatabaseSync: DatabaseType } | undefined)?.DatabaseSync;
}

/** Result codes of SQLite, without the details in their upper bits. */
export const results = { busy: 5, ioError: 10, corrupt: 11, full: 13, notADatabase: 26 } as const;

/** Returns the result code of SQLite that an error has; undefined if it is no error of SQLite. */
export function resultOf(error: unknown): number | undefined {
  const { errcode } = (error ?? {}) as { readonly errcode?: unknown };
  return typeof errcode === 'number' ? errcode & 0xff : undefined;
}
