// salvaging.js <path> <n>: makes a store in a SQLite file, damages its structure, and opens it. When this process
// closes the damaged file for the n-th time, another process opens the store, appends an entry, and ends.
// salvaging.js <path>: is that process.
//
// Prints what the other process printed, how many entries are there in the end, and whether that of the other is.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { SqliteFile } from '../../../dist/overflow/sqlite-file.js';

const [path = '', n] = process.argv.slice(2);
const format = { schema: 7n, entryBytes: 64, lanes: 1 };
const pageBytes = 4_096;
const entries = 1_000;
const ofTheOther = 5_000;

/** @param {readonly number[]} ids */
function packed(ids) {
  const bytes = new Uint8Array(ids.length * format.entryBytes).fill(7);
  return { ids: Float64Array.from(ids), lanes: new Uint8Array(ids.length), bytes };
}

async function other() {
  try {
    const file = await SqliteFile.open(path, format);
    file.append(packed([ofTheOther]));
    process.stdout.write('appended');
    process.kill(process.pid, 'SIGKILL'); // closes nothing, so that what is durable shows
  } catch (error) {
    process.stdout.write(String(/** @type {{ code?: unknown }} */ (error).code));
  }
}

async function main() {
  const file = await SqliteFile.open(path, format);
  file.append(packed(Array.from({ length: entries }, (_, i) => i + 1)));
  file.close();
  const damaged = openSync(path, 'r+');
  writeSync(damaged, new Uint8Array(pageBytes).fill(255), 0, pageBytes, 10 * pageBytes);
  closeSync(damaged);

  const sqlite = process.getBuiltinModule('node:sqlite');
  const { DatabaseSync } = sqlite;
  let closes = 0;
  let printed = 'nothing';
  class Watched extends DatabaseSync {
    /** @param {string} opened */
    constructor(opened) {
      super(opened);
      this.opened = opened;
    }

    close() {
      super.close();
      if (this.opened !== path || ++closes !== Number(n)) return;
      printed = spawnSync(process.execPath, [process.argv[1] ?? '', path], { encoding: 'utf8' }).stdout;
    }
  }
  sqlite.DatabaseSync = Watched;
  const again = await SqliteFile.open(path, format);
  const taken = [...again.take(0, 0, 4_096).ids];
  const { damage } = again.content;
  again.close();
  const isPart = taken.length > entries / 2 && taken.length <= entries + 1;
  console.log(JSON.stringify([printed, isPart, taken.includes(ofTheOther), damage !== undefined]));
}

await (n === undefined ? other() : main());
