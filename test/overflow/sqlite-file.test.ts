import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { checksumOf, keyOf } from '../../dist/overflow/packed.js';
import { type DatabaseType, loadSqlite } from '../../dist/overflow/sqlite-engine.js';
import { SqliteFile } from '../../dist/overflow/sqlite-file.js';
import { connect } from '../../dist/overflow/sqlite-format.js';
import {
  append,
  bytesOf,
  change,
  format,
  idsIn,
  newPath,
  opened,
  sqliteError,
  taken,
  upTo,
  watched,
} from './sqlite.js';
import { temporary } from './temporary.js';

const locked = { code: 'ERR_SLUICE_STORE_LOCKED' };
const failed = { code: 'ERR_SLUICE_STORE_FAILED' };

describe('The SQLite file of a store', () => {
  it('takes the entries of a lane behind a number, at most so many, and counts their deliveries', async () => {
    const file = await opened(newPath());
    append(file, 0, 1, 3, 5);
    append(file, 1, 2, 4);
    expect(taken(file, 0, 0, 2)).toEqual([
      [1, 1, 'intact'],
      [3, 1, 'intact'],
    ]);
    expect(taken(file, 0, 1)).toEqual([
      [3, 2, 'intact'],
      [5, 1, 'intact'],
    ]);
    expect(taken(file, 0, 5)).toEqual([]);
    expect(taken(file, 1)).toEqual([
      [2, 1, 'intact'],
      [4, 1, 'intact'],
    ]);
    file.remove(0, Float64Array.of(3, 4)); // 4 is in the other lane
    expect(idsIn(file, 0)).toEqual([1, 5]);
    expect(idsIn(file, 1)).toEqual([2, 4]);
  });

  it('knows what it has when it is opened again, and the greatest number that it ever had', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1, 2);
    append(file, 1, 3, 9);
    file.remove(1, Float64Array.of(9, 99));
    file.close();
    expect((await opened(path)).content).toEqual({ lanes: [2, 1], lastId: 9, lost: 0, damage: undefined });
  });

  it('says how many entries are lost, once, and takes the greatest number that is there', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1, 2, 3);
    file.remove(0, Float64Array.of(99)); // is not there
    file.close();
    change(path, (db) => db.exec('DELETE FROM entries WHERE key < 3'));
    const second = await opened(path);
    expect(second.content).toMatchObject({ lanes: [1, 0], lastId: 3, lost: 2 });
    second.close();
    const row = db0(keyOf(1, 12));
    change(path, (db) => db.exec(`${row}; DELETE FROM facts WHERE name = 'lastId'`));
    const third = await opened(path);
    expect(third.content).toMatchObject({ lanes: [1, 1], lastId: 12, lost: 0 });
  });

  it('notices other bytes, bytes of another entry, of another length, and what are no bytes', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, ...upTo(6));
    file.close();
    change(path, (db) => {
      const short = bytesOf(3).subarray(1);
      db.prepare('UPDATE entries SET bytes = ? WHERE key = 1').run(bytesOf(99));
      db.exec(
        'UPDATE entries SET (checksum, bytes) = (SELECT checksum, bytes FROM entries WHERE key = 6) WHERE key = 2',
      );
      db.prepare('UPDATE entries SET bytes = ?, checksum = ? WHERE key = 3').run(short, checksumOf(3, short));
      db.exec('UPDATE entries SET bytes = CAST(bytes AS TEXT) WHERE key = 4');
      db.exec('UPDATE entries SET checksum = 1 << 60 WHERE key = 5'); // no number of JavaScript
    });
    const again = await opened(path);
    expect(taken(again, 0)).toEqual([...upTo(5).map((id) => [id, 1, 'damaged']), [6, 1, 'intact']]);
  });

  it('changes nothing if a part of a change fails', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1);
    expect(() => append(file, 0, 2, 3, 1)).toThrow(expect.objectContaining(failed)); // 1 is there
    expect(idsIn(file, 0)).toEqual([1]);
    append(file, 0, 2);
    file.close();
    expect((await opened(path)).content).toMatchObject({ lanes: [2, 0], lastId: 2, lost: 0 });
  });

  it('goes on after a transaction that SQLite has ended by itself', async () => {
    const watch = watched();
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1);
    watch.exec = (sql, exec) => {
      if (sql === 'COMMIT') exec('ROLLBACK'); // as SQLite does for some errors
      exec(sql);
    };
    expect(() => append(file, 0, 9)).toThrow(
      expect.objectContaining({ ...failed, message: expect.stringContaining('cannot commit') }),
    );
    watch.exec = undefined;
    append(file, 0, 2);
    expect(idsIn(file, 0)).toEqual([1, 2]);
    file.close();
    expect((await opened(path)).content).toMatchObject({ lanes: [2, 0], lastId: 2, lost: 0 });
  });

  it('rejects a take with a typed error if SQLite cannot read', async () => {
    const watch = watched();
    const file = await opened(newPath());
    append(file, 0, 1);
    watch.exec = (sql, exec) => {
      watch.exec = undefined;
      exec('DROP TABLE entries');
      exec(sql);
    };
    file.remove(0, new Float64Array());
    expect(() => file.take(0, 0, 1)).toThrow(expect.objectContaining(failed));
  });

  it('synchronizes each transaction with the device', async () => {
    const watch = watched();
    const file = await opened(newPath());
    const modes: unknown[] = [];
    watch.exec = (sql, exec, db) => {
      watch.exec = undefined;
      for (const name of ['journal_mode', 'synchronous', 'locking_mode']) {
        modes.push(...Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {}));
      }
      exec(sql);
    };
    append(file, 0, 1);
    expect(modes).toEqual(['wal', 2, 'exclusive']); // 2: FULL
  });

  it.each([
    ['schema', { schema: 8n }],
    ['entryBytes', { entryBytes: 5 }],
    ['lanes', { lanes: 3 }],
  ])('is refused to a queue of another %s, and left to the next', async (name, changes) => {
    const path = newPath();
    (await opened(path)).close();
    await expect(opened(path, changes)).rejects.toMatchObject({
      code: 'ERR_SLUICE_SCHEMA',
      message: expect.stringContaining(name),
    });
    await opened(path);
  });

  it('is refused if another version of sluice has written it', async () => {
    const path = newPath();
    (await opened(path)).close();
    change(path, (db) => db.exec('PRAGMA user_version = 2'));
    await expect(opened(path)).rejects.toMatchObject({ code: 'ERR_SLUICE_LAYOUT' });
  });

  it('is refused while it is open, and free when it is closed', async () => {
    const path = newPath();
    const file = await opened(path);
    await expect(opened(path)).rejects.toMatchObject(locked);
    append(file, 0, 1);
    await expect(opened(path)).rejects.toMatchObject(locked);
    file.close();
    await opened(path);
  });

  it('is made as a whole or not at all', async () => {
    const path = newPath();
    const watch = watched();
    watch.prepare = (sql) => {
      if (sql.includes('INTO facts')) throw sqliteError(10, 'disk I/O error');
    };
    await expect(opened(path)).rejects.toMatchObject(failed);
    watch.prepare = undefined;
    expect((await opened(path)).content).toEqual({ lanes: [0, 0], lastId: 0, lost: 0, damage: undefined });
  });

  it('is free again after an opening that failed at any step', async () => {
    const path = newPath();
    (await opened(path)).close();
    const watch = watched();
    const engine = loadSqlite() as DatabaseType;
    for (const step of ['PRAGMA application_id', 'PRAGMA user_version', 'quick_check', 'INSERT OR REPLACE']) {
      watch.prepare = (sql) => {
        if (sql.includes(step)) throw sqliteError(10, 'disk I/O error');
      };
      await expect(opened(path), step).rejects.toMatchObject(failed);
      watch.prepare = undefined;
      expect(() => connect(engine, path).close(), step).not.toThrow();
    }
  });

  it('is refused without its directory, where a part of it is no file, and if it is of another program', async () => {
    const folder = temporary();
    await expect(opened(join(folder, 'none', 'a.db'))).rejects.toMatchObject(failed);
    mkdirSync(join(folder, 'b.db-wal'));
    await expect(opened(join(folder, 'b.db'))).rejects.toThrow(/path must be that of a file/);
    const text = join(folder, 'text.db');
    writeFileSync(text, 'no database'.repeat(1_000));
    await expect(opened(text)).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_DAMAGED' });
    const foreign = join(folder, 'foreign.db');
    change(foreign, (db) => db.exec('CREATE TABLE users (name TEXT)'));
    const before = readFileSync(foreign);
    await expect(opened(foreign)).rejects.toMatchObject({ code: 'ERR_SLUICE_LAYOUT' });
    expect(readFileSync(foreign).equals(before)).toBe(true);
  });

  it('needs node:sqlite', async () => {
    const spy = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined);
    onTestFinished(() => spy.mockRestore());
    await expect(SqliteFile.open(newPath(), format)).rejects.toMatchObject({
      ...failed,
      message: expect.stringContaining('needs Node.js 22.13'),
    });
  });
});

/** Adds an entry of other bytes. */
function db0(key: number): string {
  return `INSERT INTO entries VALUES (${key}, 0, 0, x'00')`;
}
