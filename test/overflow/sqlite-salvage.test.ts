import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keyOf } from '../../dist/overflow/packed.js';
import { type DatabaseType, loadSqlite } from '../../dist/overflow/sqlite-engine.js';
import { connect } from '../../dist/overflow/sqlite-format.js';
import { damageOfLog } from '../../dist/overflow/sqlite-wal.js';
import {
  append,
  change,
  idsIn,
  newPath,
  opened,
  overwrite,
  pageBytes,
  pageIn,
  pageOf,
  sqliteError,
  taken,
  upTo,
  watched,
} from './sqlite.js';
import { temporary } from './temporary.js';

/** The files that a salvage has left beside the store. */
function beside(path: string): string[] {
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith('a.db'));
  return names.map((name) => name.replace(/damaged-\d+/, 'damaged')).sort();
}

/** Makes a file with the entries 1 to `last` of lane 0, and one of lane 1. */
async function filled(last: number): Promise<string> {
  const path = newPath();
  const file = await opened(path);
  append(file, 0, ...upTo(last));
  append(file, 1, last + 1);
  file.close();
  return path;
}

describe('A SQLite file whose structure is damaged', () => {
  it('is written anew with each entry that is not on a damaged page', async () => {
    const path = await filled(3_000);
    const whole = readFileSync(path);
    const first = pageIn(whole, 500);
    const damaged = new Set([first, first + 1, first + 2, pageIn(whole, 2_000)]);
    for (const page of damaged) overwrite(path, page);
    const kept = upTo(3_000).filter((id) => !damaged.has(pageIn(whole, id)));
    const file = await opened(path);
    const lost = 3_000 - kept.length;
    expect(lost).toBeGreaterThan(100);
    expect(file.content).toEqual({
      lanes: [kept.length, 1],
      lastId: 3_001,
      lost,
      damage: expect.any(String),
    });
    expect(taken(file, 0)).toEqual(kept.map((id) => [id, 1, 'intact']));
    expect(taken(file, 1)).toEqual([[3_001, 1, 'intact']]);
    append(file, 0, 3_002);
    file.close();
    expect(beside(path)).toEqual(['a.db', 'a.db.damaged', 'a.db.salvaging']);
    expect((await opened(path)).content).toMatchObject({ lost: 0, damage: undefined });
  });

  it('is written anew though a page is in the place of another one, where SQLite finds keys again and again', async () => {
    const path = await filled(1_000);
    const whole = readFileSync(path);
    const page = pageIn(whole, 300);
    const end = upTo(1_000, 300).find((id) => pageIn(whole, id + 1) !== page) as number;
    const next = pageIn(whole, end + 1);
    const after = upTo(1_000, end + 1).find((id) => pageIn(whole, id) !== next) as number;
    const before = await opened(path);
    before.remove(0, Float64Array.of(end - 1, end)); // so that the search behind `end - 2` comes to the next page
    before.close();
    overwrite(path, next, pageOf(path, pageIn(whole, 1)));
    const file = await opened(path);
    expect(idsIn(file, 0)).toEqual([...upTo(end - 2), ...upTo(1_000, after)]);
    expect(file.content.lost).toBe(after - end - 1);
  });

  it('keeps how often an entry was delivered, and what is damaged in the entry itself', async () => {
    const path = await filled(1_000);
    const before = await opened(path);
    before.take(0, 0, 10);
    before.close();
    change(path, (db) => {
      db.exec('UPDATE entries SET checksum = 1 << 60 WHERE key = 1');
      db.exec(`INSERT INTO entries VALUES (${keyOf(9, 1)}, 0, 0, x'00')`); // of no lane
    });
    overwrite(path, pageIn(readFileSync(path), 500));
    const file = await opened(path);
    expect(taken(file, 0, 0, 11)).toEqual([
      [1, 2, 'damaged'],
      ...upTo(10, 2).map((id) => [id, 2, 'intact']),
      [11, 1, 'intact'],
    ]);
    expect(file.content.lanes[1]).toBe(1);
  });

  it('has lost everything if its first page of entries is damaged, and says how much', async () => {
    const path = await filled(1_000);
    let root = 0;
    change(path, (db) => {
      root = Number(
        db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'entries'").get()?.['rootpage'],
      );
    });
    overwrite(path, root - 1); // SQLite counts pages from 1
    const file = await opened(path);
    expect(file.content).toMatchObject({ lanes: [0, 0], lastId: 1_001, lost: 1_001 });
    append(file, 0, 1_002);
  });

  it('is left as it is if its format cannot be read', async () => {
    const path = await filled(1);
    overwrite(path, 0, new Uint8Array(100).fill(255));
    const before = readFileSync(path);
    await expect(opened(path)).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_DAMAGED' });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(beside(path)).toEqual(['a.db']);
  });

  it('is refused while another process saves it, and free when that has failed', async () => {
    const path = await filled(1_000);
    overwrite(path, pageIn(readFileSync(path), 500));
    const engine = loadSqlite() as DatabaseType;
    const other = connect(engine, `${path}.salvaging`, path);
    await expect(opened(path)).rejects.toMatchObject({
      code: 'ERR_SLUICE_STORE_LOCKED',
      message: expect.stringContaining(`${path}:`),
    });
    other.close();
    const watch = watched();
    watch.prepare = (sql) => {
      if (sql.includes('key >= ? ORDER BY')) throw sqliteError(10, 'disk I/O error');
    };
    await expect(opened(path)).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
    watch.prepare = undefined;
    writeFileSync(`${path}.salvage`, 'what a process that was killed has left');
    expect((await opened(path)).content.lost).toBeGreaterThan(0);
  });

  it('is not saved, but refused, if SQLite cannot look for damage, or fails while it reads', async () => {
    const path = await filled(1_000);
    const watch = watched();
    for (const [errcode, code] of [
      [10, 'ERR_SLUICE_STORE_FAILED'],
      [7, 'ERR_SLUICE_STORE_FAILED'],
    ] as const) {
      watch.prepare = (sql) => {
        if (sql.includes('quick_check')) throw sqliteError(errcode, 'no memory');
      };
      await expect(opened(path)).rejects.toMatchObject({ code });
    }
    expect(beside(path)).toEqual(['a.db']);
    let asked = 0;
    watch.prepare = (sql) => {
      if (sql.includes('quick_check') && asked++ < 2) throw sqliteError(11 + 256, 'it is malformed');
    };
    expect((await opened(path)).content).toMatchObject({ lanes: [1_000, 1], damage: 'it is malformed' });
  });

  it('is not written anew if another process has done so meanwhile', async () => {
    const path = await filled(1_000);
    const watch = watched();
    let asked = 0;
    watch.prepare = (sql) => {
      if (sql.includes('quick_check') && asked++ === 0) throw sqliteError(11, 'it is malformed');
    };
    expect((await opened(path)).content).toMatchObject({ lanes: [1_000, 1], lost: 0 });
    expect(beside(path)).toEqual(['a.db', 'a.db-wal', 'a.db.salvaging']);
  });

  it('is not written anew if another process that was killed meanwhile had saved it', async () => {
    const path = await filled(10);
    const saved = await filled(20);
    const watch = watched();
    watch.prepare = (sql) => {
      if (!sql.includes('quick_check')) return;
      watch.prepare = undefined;
      copyFileSync(saved, `${path}.salvaged`);
      throw sqliteError(11, 'it is malformed');
    };
    expect((await opened(path)).content.lanes).toEqual([20, 1]);
  });

  it.each([true, false])(
    'has what was saved from it if the process was killed then, before or after it was moved away: %s',
    async (isThere) => {
      const path = await filled(100);
      renameSync(path, `${path}.salvaged`);
      if (isThere) {
        writeFileSync(path, 'damaged'.repeat(1_000));
        writeFileSync(`${path}-wal`, 'of the damaged file');
      }
      const file = await opened(path);
      expect(file.content).toEqual({ lanes: [100, 1], lastId: 101, lost: 0, damage: undefined });
      file.close();
      expect(beside(path)).toEqual(['a.db', ...(isThere ? ['a.db.damaged'] : []), 'a.db.salvaging']);
    },
  );
});

/** The frames of a log: | header (32) | frame header (24) | page | ... */
const frameBytes = 24 + pageBytes;
const frameAt = (frame: number): number => 32 + frame * frameBytes;

/** Copies the store as a process that is killed now would leave it. Returns the path of the copy. */
function killed(path: string): string {
  const copy = join(temporary(), 'a.db');
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  return copy;
}

/** Changes the log of a store. */
function changeLog(path: string, act: (log: Buffer<ArrayBuffer>) => Buffer | undefined): void {
  const log = readFileSync(`${path}-wal`);
  writeFileSync(`${path}-wal`, act(log) ?? log);
}

describe('The log of a SQLite file', () => {
  it('is intact as a process leaves it that is killed between two transactions', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1, 2);
    const copy = killed(path);
    expect(damageOfLog(`${copy}-wal`)).toBeUndefined();
    expect((await opened(copy)).content).toEqual({ lanes: [2, 0], lastId: 2, lost: 0, damage: undefined });
  });

  it('may have frames of an earlier log behind its own', async () => {
    const watch = watched();
    const path = newPath();
    const file = await opened(path);
    append(file, 0, ...upTo(500));
    watch.exec = (sql, exec) => {
      watch.exec = undefined;
      exec('PRAGMA wal_checkpoint(FULL)');
      exec(sql);
    };
    append(file, 0, 501);
    const copy = killed(path);
    const log = readFileSync(`${copy}-wal`);
    expect(log.readUInt32BE(12)).toBeGreaterThan(0); // how often it has begun anew
    expect(damageOfLog(`${copy}-wal`)).toBeUndefined();
    expect((await opened(copy)).content.lanes).toEqual([501, 0]);
  });

  it.each([
    ['its page', 24 + 1_000],
    ['its number', 0],
    ['its salts', 8],
    ['its checksums', 16],
  ])(
    'is damaged where %s of a frame was changed, and says how many transactions are behind',
    async (_, at) => {
      const path = newPath();
      const file = await opened(path);
      append(file, 0, 1);
      const frames = (readFileSync(`${path}-wal`).length - 32) / frameBytes;
      append(file, 0, 2);
      append(file, 0, 3);
      const copy = killed(path);
      changeLog(
        copy,
        (log) => void log.writeUInt8(log.readUInt8(frameAt(frames) + at) ^ 1, frameAt(frames) + at),
      );
      const { content } = await opened(copy);
      expect(content.lanes).toEqual([1, 0]);
      expect(content.damage).toMatch(/^its write-ahead log is damaged before \d+ transactions?$/);
    },
  );

  it('may be cut off, which shows only within a page', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1);
    append(file, 0, 2);
    const whole = killed(path);
    const half = killed(path);
    const { length } = readFileSync(`${path}-wal`);
    truncateSync(`${half}-wal`, length - 100);
    expect((await opened(half)).content).toMatchObject({
      lanes: [1, 0],
      damage: expect.stringContaining('ends within a page'),
    });
    const frames = (length - 32) / frameBytes;
    truncateSync(`${whole}-wal`, frameAt(frames - 1)); // a page of the last transaction is missing
    expect((await opened(whole)).content).toMatchObject({ lanes: [1, 0], damage: undefined });
  });

  it('is damaged at its header, and the file that it belongs to is new then', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1);
    const copy = killed(path);
    changeLog(copy, (log) => log.fill(0, 16, 24));
    expect((await opened(copy)).content).toEqual({
      ...{ lanes: [0, 0], lastId: 0, lost: 0 },
      damage: 'the header of its write-ahead log is damaged',
    });
  });

  it('is kept if the file that it belongs to is empty', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1);
    const copy = killed(path);
    const first = pageOf(path, 0);
    truncateSync(copy, 0);
    const emptied = await opened(copy);
    expect(emptied.content).toEqual({
      ...{ lanes: [0, 0], lastId: 0, lost: 0 },
      damage: 'it is empty, but its write-ahead log is not',
    });
    emptied.close();
    expect(beside(copy)).toEqual(['a.db', 'a.db.damaged-wal', 'a.db.salvaging']);
    // With its first page in its place the log has everything.
    const name = readdirSync(dirname(copy)).find((each) => each.includes('.damaged-')) as string;
    const saved = join(temporary(), 'a.db');
    writeFileSync(saved, first);
    copyFileSync(join(dirname(copy), name), `${saved}-wal`);
    expect(idsIn(await opened(saved), 0)).toEqual([1]);
  });

  it('is no log while it is shorter than its header, or has nothing but that', async () => {
    const log = join(temporary(), 'a.db-wal');
    expect(damageOfLog(log)).toBeUndefined();
    for (const bytes of [0, 31, 32]) {
      writeFileSync(log, new Uint8Array(bytes).fill(1));
      expect(damageOfLog(log)).toBeUndefined();
    }
    writeFileSync(log, new Uint8Array(33).fill(1));
    expect(damageOfLog(log)).toContain('header');
    mkdirSync(`${log}-2`);
    expect(() => damageOfLog(`${log}-2`)).toThrow(/EISDIR/);
  });

  it('may have checksums of big-endian words, as SQLite reads them, too', async () => {
    const path = newPath();
    const file = await opened(path);
    append(file, 0, 1, 2);
    const copy = killed(path);
    changeLog(copy, sealedBigEndian);
    expect(damageOfLog(`${copy}-wal`)).toBeUndefined();
    expect((await opened(copy)).content).toMatchObject({ lanes: [2, 0], damage: undefined });
  });
});

/** Computes the checksums of a log anew, over big-endian words. */
function sealedBigEndian(log: Buffer): Buffer {
  let [a, b] = [0, 0];
  const sum = (from: number, to: number): void => {
    for (let at = from; at < to; at += 8) {
      a = (a + log.readUInt32BE(at) + b) >>> 0;
      b = (b + log.readUInt32BE(at + 4) + a) >>> 0;
    }
  };
  const seal = (at: number): void => {
    log.writeUInt32BE(a, at);
    log.writeUInt32BE(b, at + 4);
  };
  log.writeUInt32BE(0x377f0683, 0);
  sum(0, 24);
  seal(24);
  for (let at = 32; at < log.length; at += frameBytes) {
    sum(at, at + 8);
    sum(at + 24, at + frameBytes);
    seal(at + 16);
  }
  return log;
}
