import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { run } from '../program.js';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { placesOf } from './programs/entries.js';
import { temporary } from './temporary.js';

/** A kind of store, and what is particular to it. */
export interface Kind {
  readonly name: string;
  /** The binary of Node.js that runs it; undefined if there is none: then its tests are skipped. */
  readonly node: string | undefined;
  /** The module whose `make(directory, options)` makes a store. */
  readonly module: URL;
  /** Whether it is a file `store.db` in the directory, which the tests can cut off, limit and replace. */
  readonly hasFiles: boolean;
  /** Starts a server of its own for a test; undefined if it needs none. */
  readonly serve?: () => Promise<Service>;
  /** Whether it finds damage to the structure of its files, not only to the bytes of entries. */
  readonly checksStructure: boolean;
}

/** A server that keeps entries in its files. */
export interface Service {
  /** The directory of these files, by which `make` finds the server. */
  readonly directory: string;
  start(): Promise<void>;
  /** Kills it. */
  stop(): Promise<void>;
}

/** What the program `read` prints. */
interface Read {
  readonly code?: string;
  readonly isTyped?: boolean;
  readonly content: { lanes: number[]; lastId: number; lost: number; damage?: string };
  readonly lanes: number[][];
  readonly damaged: number[];
  readonly wrong: number;
  readonly unordered: number;
  readonly deliveries: number[];
}

const program = new URL('./programs/store.js', import.meta.url);
const patienceMs = 240_000; // many processes, one after another, on a machine that may be busy

/** What every store must hold to, whatever its engine. */
export function conforms(kind: Kind): void {
  const { node = '', module } = kind;

  const call = async <T>(place: string, command: string, argument = ''): Promise<T> => {
    const ended = await run(program, [module.href, place, command, argument], { node });
    const line = ended.stdout.trimEnd().split('\n').at(-1) ?? '';
    expect(line, `${command}: ${ended.signal ?? ended.code}\n${ended.stderr}`).not.toBe('');
    return JSON.parse(line) as T;
  };
  let service: Service | undefined;
  /** Returns an empty directory, for which a server runs if the store needs one. */
  const placed = async (): Promise<string> => {
    service = await kind.serve?.();
    return service?.directory ?? temporary();
  };
  /** Flips a bit in each copy of an entry's bytes in the files. */
  const flip = async (place: string, id: number): Promise<void> => {
    await service?.stop();
    flipEntry(place, id);
    await service?.start();
  };
  const read = (place: string): Promise<Read> => call<Read>(place, 'read');
  const children: ChildProcess[] = [];
  const begin = (place: string, command: string): ChildProcess => {
    const child = spawn(node, [fileURLToPath(program), module.href, place, command], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(child);
    return child;
  };
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await service?.stop();
    service = undefined;
  });
  /** Lets a process append until `lines` appends are durable, kills it, and returns the last durable number. */
  const killWhileWriting = async (place: string, lines: number): Promise<number> => {
    const child = begin(place, 'write');
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.split('\n').length > lines) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const whole = text.slice(0, text.lastIndexOf('\n')).split('\n');
    return Number(whole.at(-1));
  };
  const upTo = (last: number, lane: number): number[] =>
    Array.from({ length: last }, (_, i) => i + 1).filter((id) => id % 2 === lane);

  describe.skipIf(kind.node === undefined)(`A store: ${kind.name}`, { timeout: patienceMs }, () => {
    it('returns the entries of each lane in order, counts deliveries, and removes what it is told to', async () => {
      const place = await placed();
      expect(await call(place, 'append', '250')).toBe('closed');
      const first = await read(place);
      expect(first.lanes).toEqual([upTo(250, 0), upTo(250, 1)]);
      expect(first).toMatchObject({ damaged: [], wrong: 0, unordered: 0, deliveries: [1] });
      const removed = await call<number[]>(place, 'remove');
      expect(removed).toEqual(upTo(250, 1).filter((id) => id % 3 === 0));
      const second = await read(place);
      expect(second.lanes).toEqual([upTo(250, 0), upTo(250, 1).filter((id) => id % 3 !== 0)]);
      expect(second.content).toEqual({ lanes: [125, 125 - removed.length], lastId: 250, lost: 0 });
      expect(second.deliveries).toEqual([2, 3]); // the program `remove` has taken those of lane 1
    });

    it('has every entry that was durable when its process was killed', async () => {
      const place = await placed();
      const random = new SeededRandom(seed);
      for (let round = 0; round < 4; round++) {
        const last = await killWhileWriting(place, 5 + random.below(40));
        expect(last).toBeGreaterThan(0);
        const { content, lanes, damaged, wrong, unordered } = await read(place);
        expect({ damaged, wrong, unordered, lost: content.lost }).toEqual({
          damaged: [],
          wrong: 0,
          unordered: 0,
          lost: 0,
        });
        expect(content.lastId).toBeGreaterThanOrEqual(last);
        // An append whose end the process did not live to see may be there, too, but only as a whole.
        expect(lanes).toEqual([upTo(content.lastId, 0), upTo(content.lastId, 1)]);
      }
    });

    it('is refused to a second process, until the first one has ended in any way', async () => {
      const place = await placed();
      const holder = begin(place, 'hold');
      await once(holder.stdout as NodeJS.ReadableStream, 'data');
      expect(await read(place)).toMatchObject({ code: 'ERR_SLUICE_STORE_LOCKED', isTyped: true });
      holder.kill('SIGKILL');
      await once(holder, 'close');
      expect((await read(place)).content).toEqual({ lanes: [0, 0], lastId: 0, lost: 0 });
    });

    it('is refused to a queue of another schema', async () => {
      const place = await placed();
      await call(place, 'append', '1');
      expect(await call(place, 'schema')).toMatchObject({ code: 'ERR_SLUICE_SCHEMA' });
    });

    it('notices flipped bytes of an entry, and returns the others', async () => {
      const place = await placed();
      await call(place, 'append', '200');
      await flip(place, 77);
      const { lanes, damaged, wrong } = await read(place);
      expect(damaged).toEqual([77]);
      expect(wrong).toBe(0);
      expect(lanes).toEqual([upTo(200, 0), upTo(200, 1)]);
    });

    it('notices flipped bytes in what a killed process has left', async () => {
      const place = await placed();
      await killWhileWriting(place, 30);
      await flip(place, 40);
      const { content, damaged, wrong, lanes } = await read(place);
      expect(wrong).toBe(0);
      expect(content.damage !== undefined || content.lost > 0 || damaged.includes(40)).toBe(true);
      expect(lanes.flat().length).toBeGreaterThan(0);
    });

    if (kind.serve !== undefined)
      it('has every entry that was durable when its server was killed', async () => {
        const place = await placed();
        const child = begin(place, 'write');
        let text = '';
        child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        for (let kill = 1; kill <= 3; kill++) {
          while (text.split('\n').length < 40 * kill)
            await once(child.stdout as NodeJS.ReadableStream, 'data');
          await service?.stop();
          await service?.start();
        }
        child.kill('SIGKILL');
        await once(child, 'close');
        const last = Number(text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1));
        const { content, lanes, damaged, wrong, unordered } = await read(place);
        expect({ damaged, wrong, unordered, lost: content.lost }).toEqual({
          ...{ damaged: [], wrong: 0, unordered: 0, lost: 0 },
        });
        expect(content.lastId).toBeGreaterThanOrEqual(last);
        expect(lanes).toEqual([upTo(content.lastId, 0), upTo(content.lastId, 1)]);
      });

    if (kind.hasFiles)
      it('notices that its file was cut off, and returns no wrong bytes', async () => {
        const place = temporary();
        await call(place, 'append', '2000');
        const file = join(place, 'store.db');
        truncateSync(file, Math.floor(statSync(file).size * 0.6) + 17);
        const found = await read(place);
        if (found.code !== undefined) {
          expect(found).toMatchObject({ code: 'ERR_SLUICE_STORE_DAMAGED', isTyped: true });
          return;
        }
        expect(found.wrong).toBe(0);
        expect(found.content.damage).toEqual(expect.any(String));
      });

    if (kind.checksStructure)
      it('finds any damage, or has lost nothing', async () => {
        const whole = temporary();
        await call(whole, 'append', '2000');
        const killed = temporary();
        await killWhileWriting(killed, 20);
        const random = new SeededRandom(seed);
        for (const [round, place] of [whole, killed, whole, killed].entries()) {
          const copy = temporary();
          cpSync(place, copy, { recursive: true });
          const before = await read(copyOf(place, temporary()));
          const done = damageAnywhere(copy, random);
          const found = await read(copy);
          const what = `${replay}, round ${round}: ${done}: ${JSON.stringify(found).slice(0, 300)}`;
          if (found.code !== undefined) {
            expect(['ERR_SLUICE_STORE_DAMAGED', 'ERR_SLUICE_LAYOUT', 'ERR_SLUICE_SCHEMA'], what).toContain(
              found.code,
            );
            continue;
          }
          expect(found.wrong, what).toBe(0);
          const missing = before.lanes.flat().length - found.lanes.flat().length + found.damaged.length;
          const isNoticed =
            found.content.damage !== undefined || found.content.lost > 0 || found.damaged.length > 0;
          expect(missing === 0 || isNoticed, what).toBe(true);
        }
      });

    if (kind.checksStructure)
      it('loses nothing of what it has saved from a damaged file, if it is killed then', async () => {
        for (const isMoved of [false, true]) {
          const place = temporary();
          await call(place, 'append', '100');
          renameSync(join(place, 'store.db'), join(place, 'store.db.salvaged')); // as salvage() leaves it
          if (!isMoved) writeFileSync(join(place, 'store.db'), 'damaged'.repeat(1_000));
          expect((await read(place)).lanes).toEqual([upTo(100, 0), upTo(100, 1)]);
          expect(readdirSync(place).filter((name) => name.includes('.damaged-'))).toHaveLength(
            isMoved ? 0 : 1,
          );
        }
      });

    if (kind.hasFiles)
      it('refuses an append when the disk is full, and keeps what was durable', async () => {
        const place = temporary();
        // 400 KiB is the most that the program can write to a file: to it, this is a full disk.
        const args = [fileURLToPath(program), module.href, place, 'fill'].map((text) => `'${text}'`);
        const limited = spawn('bash', ['-c', `ulimit -f 400; exec '${node}' ${args.join(' ')}`], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        children.push(limited);
        let text = '';
        limited.stdout.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        await once(limited, 'close');
        const { code, durable } = JSON.parse(text) as { code: string; durable: number[] };
        expect(code).toBe('ERR_SLUICE_STORE_FAILED');
        expect(durable.length).toBeGreaterThan(100);
        const { lanes, damaged, wrong } = await read(place);
        expect({ damaged, wrong }).toEqual({ damaged: [], wrong: 0 });
        expect(lanes.flat().filter((id) => id <= durable.length).length).toBe(durable.length);
      });

    if (kind.hasFiles)
      it('says that it cannot write to a directory', async () => {
        // Not even root can make a file there.
        expect(await read('/sys')).toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED', isTyped: true });
        expect(await read(join(temporary(), 'none'))).toMatchObject({ code: 'ERR_SLUICE_STORE_FAILED' });
      });

    if (kind.hasFiles)
      it.each<[string, (path: string) => void]>([
        ['a directory', (path) => mkdirSync(path)],
        ['a FIFO', (path) => execFileSync('mkfifo', [path])],
        ['a device', (path) => symlinkSync('/dev/null', path)],
        ['a link to itself', (path) => symlinkSync(path, path)],
        ['a FIFO beside it', (path) => execFileSync('mkfifo', [`${path}-wal`, `${path}-lock`])],
      ])('refuses a path that is not that of a file: %s', async (_, make) => {
        const place = temporary();
        make(join(place, 'store.db'));
        expect(await read(place)).toMatchObject({
          code: 'ERR_SLUICE_STORE_FAILED',
          message: expect.stringContaining('path must be that of a file'),
        });
      });

    if (kind.hasFiles)
      it.each<[string, (path: string) => void]>([
        ['a text', (path) => writeFileSync(path, 'not a store, but somebody’s text'.repeat(1_000))],
        ['a database', (path) => makeDatabase(kind, path)],
      ])('refuses a file of another program, and leaves it as it is: %s', async (_, make) => {
        const place = temporary();
        const path = join(place, 'store.db');
        make(path);
        const before = readFileSync(path);
        const { code } = await read(place);
        expect(['ERR_SLUICE_STORE_DAMAGED', 'ERR_SLUICE_LAYOUT']).toContain(code);
        expect(readFileSync(path).equals(before)).toBe(true);
      });
  });
}

/** Makes a file with a table of its own, by the engine of the store. */
function makeDatabase(kind: Kind, path: string): void {
  const program = new URL('./programs/foreign-database.js', import.meta.url);
  execFileSync(kind.node as string, [fileURLToPath(program), kind.checksStructure ? 'sqlite' : 'lmdb', path]);
}

function copyOf(place: string, to: string): string {
  cpSync(place, to, { recursive: true });
  return to;
}

/** Flips a bit in each copy of an entry's bytes. */
function flipEntry(place: string, id: number): void {
  let flipped = 0;
  for (const name of readdirSync(place, { recursive: true, encoding: 'utf8' })) {
    const path = join(place, name);
    if (!statSync(path).isFile()) continue;
    const file = readFileSync(path);
    for (const at of placesOf(id, file)) {
      file[at + 20] = (file[at + 20] as number) ^ 4;
      flipped++;
    }
    writeFileSync(path, file);
  }
  expect(flipped).toBeGreaterThan(0);
}

/** Overwrites 64 bytes somewhere, or cuts the largest file off. Returns what it has done, in words. */
function damageAnywhere(place: string, random: SeededRandom): string {
  const [name = ''] = readdirSync(place)
    .filter((file) => !file.endsWith('-shm') && !file.endsWith('-lock'))
    .sort((a, b) => statSync(join(place, b)).size - statSync(join(place, a)).size);
  const path = join(place, name);
  const file = readFileSync(path);
  const at = 100 + random.below(file.length - 200);
  if (random.below(3) === 0) {
    truncateSync(path, at);
    return `${name} cut off at ${at} of ${file.length}`;
  }
  file.fill(0xa5, at, at + 64);
  writeFileSync(path, file);
  return `${name}: 64 bytes overwritten at ${at} of ${file.length}`;
}
