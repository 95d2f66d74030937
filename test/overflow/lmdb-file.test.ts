import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LmdbFile } from '../../dist/overflow/lmdb-file.js';
import { keyOf, packed } from '../../dist/overflow/packed.js';
import type { StoreFormat } from '../../dist/overflow/store.js';
import { temporary } from './temporary.js';

const format: StoreFormat = { schema: 7n, entryBytes: 4, lanes: 2 };
const bytesOf = (id: number): Uint8Array => Uint8Array.of(id, id + 1, id + 2, id + 3);

/** Opens a file, which is closed when the test has finished. */
async function opened(path: string, changes: Partial<StoreFormat> = {}): Promise<LmdbFile> {
  const file = await LmdbFile.open(path, { ...format, ...changes });
  onTestFinished(() => file.close());
  return file;
}

function append(file: LmdbFile, lane: number, ...ids: number[]): void {
  const entries = ids.map((id) => ({ id, lane, bytes: bytesOf(id) }));
  file.append(packed(entries, format.entryBytes));
}

/** What `take` returns, as [id, deliveries, bytes or 'damaged']. */
function taken(file: LmdbFile, lane: number, after = 0, max = 10): unknown[] {
  const { ids, deliveries, intact, bytes } = file.take(lane, after, max);
  return Array.from(ids, (id, i) => {
    const each = [...bytes.subarray(4 * i, 4 * i + 4)];
    return [id, deliveries[i], intact[i] === 1 ? each : 'damaged'];
  });
}

const entry = (id: number, deliveries: number): unknown[] => [id, deliveries, [...bytesOf(id)]];

/** Changes the file as another program would, while no store has it open. */
async function change(
  path: string,
  act: (db: ReturnType<typeof open<Buffer, number>>) => void,
): Promise<void> {
  const db = open<Buffer, number>({ path, noSubdir: true, encoding: 'binary', maxDbs: 2 });
  db.transactionSync(() => act(db));
  await db.close();
}

describe('The LMDB file of a store', () => {
  it('takes the entries of a lane behind a number, at most so many, and counts their deliveries', async () => {
    const file = await opened(join(temporary(), 'a.mdb'));
    append(file, 0, 1, 3, 5);
    append(file, 1, 2, 4);
    expect(taken(file, 0, 0, 2)).toEqual([entry(1, 1), entry(3, 1)]);
    expect(taken(file, 0, 1)).toEqual([entry(3, 2), entry(5, 1)]);
    expect(taken(file, 1)).toEqual([entry(2, 1), entry(4, 1)]);
    file.remove(0, Float64Array.of(3, 4)); // 4 is in the other lane
    expect(taken(file, 0)).toEqual([entry(1, 2), entry(5, 2)]);
    expect(taken(file, 1)).toEqual([entry(2, 2), entry(4, 2)]);
  });

  it('knows what it has when it is opened again, and the greatest number that it ever had', async () => {
    const path = join(temporary(), 'a.mdb');
    const file = await LmdbFile.open(path, format);
    append(file, 0, 1, 2);
    append(file, 1, 3, 9);
    file.remove(1, Float64Array.of(9));
    file.close();
    const again = await opened(path);
    expect(again.content).toEqual({ lanes: [2, 1], lastId: 9, lost: 0, damage: undefined });
  });

  it('says how many entries are lost, once, and takes the greatest number that is there', async () => {
    const path = join(temporary(), 'a.mdb');
    const file = await LmdbFile.open(path, format);
    append(file, 0, 1, 2, 3);
    file.close();
    await change(path, (db) => {
      db.removeSync(keyOf(0, 1));
      db.removeSync(keyOf(0, 2));
    });
    const second = await LmdbFile.open(path, format);
    expect(second.content).toMatchObject({ lanes: [1, 0], lastId: 3, lost: 2 });
    second.close();
    await change(path, (db) => void db.putSync(keyOf(1, 12), Buffer.alloc(12)));
    const third = await opened(path);
    expect(third.content).toMatchObject({ lanes: [1, 1], lastId: 12, lost: 0 });
  });

  it('notices other bytes, bytes of another entry, and an entry of another length', async () => {
    const path = join(temporary(), 'a.mdb');
    const file = await LmdbFile.open(path, format);
    append(file, 0, 1, 2, 3, 4);
    file.close();
    await change(path, (db) => {
      const [first, second] = [db.get(keyOf(0, 1)), db.get(keyOf(0, 2))] as [Buffer, Buffer];
      db.putSync(keyOf(0, 2), Buffer.from(first));
      db.putSync(keyOf(0, 3), second.subarray(0, 7));
      const flipped = Buffer.from(first);
      flipped.writeUInt8(200, 8);
      db.putSync(keyOf(0, 1), flipped);
    });
    const again = await opened(path);
    expect(taken(again, 0)).toEqual([[1, 1, 'damaged'], [2, 1, 'damaged'], [3, 1, 'damaged'], entry(4, 1)]);
    expect(taken(again, 0, 3)).toEqual([entry(4, 2)]);
  });

  it('changes nothing if a part of a change fails', async () => {
    const path = join(temporary(), 'a.mdb');
    const file = await LmdbFile.open(path, format);
    append(file, 0, 1);
    const bad = { ids: Float64Array.of(2, 3), lanes: Uint8Array.of(0, 0), bytes: new Uint8Array(8) };
    Object.defineProperty(bad.bytes, 'subarray', {
      value: (start: number, end: number) => {
        if (start > 0) throw new Error('no bytes');
        return new Uint8Array(end - start);
      },
    });
    expect(() => file.append(bad)).toThrow('no bytes');
    expect(taken(file, 0)).toEqual([entry(1, 1)]);
    append(file, 0, 2);
    file.close();
    const again = await opened(path);
    expect(again.content).toMatchObject({ lanes: [2, 0], lastId: 2, lost: 0 });
  });

  it.each([
    ['schema', { schema: 8n }],
    ['entryBytes', { entryBytes: 5 }],
    ['lanes', { lanes: 3 }],
  ])('is refused to a queue of another %s, and left to the next', async (name, changes) => {
    const path = join(temporary(), 'a.mdb');
    (await LmdbFile.open(path, format)).close();
    const refused = LmdbFile.open(path, { ...format, ...changes });
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_SLUICE_SCHEMA',
      message: expect.stringContaining(name),
    });
    await opened(path);
  });

  it('takes the place of an owner that has ended, and leaves that of a later one alone', async () => {
    const path = join(temporary(), 'a.mdb');
    (await LmdbFile.open(path, format)).close();
    const owned = async (owner: object): Promise<void> => {
      const db = open({ path, noSubdir: true, encoding: 'binary', maxDbs: 2 });
      db.openDB({ name: 'facts', encoding: 'json' }).putSync('owner', owner);
      await db.close();
    };
    await owned({ pid: process.pid, began: 'long ago', opening: 'another' });
    const file = await LmdbFile.open(path, format);
    await owned({ pid: process.pid, began: 'later', opening: 'a later one' });
    file.close();
    const db = open({ path, noSubdir: true, encoding: 'binary', maxDbs: 2 });
    onTestFinished(() => db.close());
    expect(db.openDB({ name: 'facts', encoding: 'json' }).get('owner')).toMatchObject({
      opening: 'a later one',
    });
  });

  it('is refused while it is open, and free when it is closed', async () => {
    const path = join(temporary(), 'a.mdb');
    const file = await LmdbFile.open(path, format);
    await expect(LmdbFile.open(path, format)).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_LOCKED' });
    append(file, 0, 1);
    file.close();
    await opened(path);
  });

  it('is refused without its directory, and if it is no file of LMDB or of another program', async () => {
    const folder = temporary();
    await expect(LmdbFile.open(join(folder, 'none', 'a.mdb'), format)).rejects.toMatchObject({
      code: 'ERR_SLUICE_STORE_FAILED',
    });
    const text = join(folder, 'text.mdb');
    writeFileSync(text, 'no database'.repeat(1_000));
    await expect(LmdbFile.open(text, format)).rejects.toMatchObject({ code: 'ERR_SLUICE_STORE_DAMAGED' });
    const foreign = join(folder, 'foreign.mdb');
    const other = open<string, string>({ path: foreign, noSubdir: true });
    other.putSync('name', 'value');
    await other.close();
    await expect(LmdbFile.open(foreign, format)).rejects.toMatchObject({ code: 'ERR_SLUICE_LAYOUT' });
  });
});
