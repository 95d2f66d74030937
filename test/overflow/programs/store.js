// Uses a store of its own, as its first arguments say, and prints what it sees, one JSON text a line.
//
//   store.js <module of the store> <directory> <command>
import { appendFileSync } from 'node:fs';
import { entryBytes, entryOf, format, isEntry } from './entries.js';

const [, , module, directory, command, argument] = process.argv;
const { make } = await import(module);
const print = (value) => appendFileSync(1, `${JSON.stringify(value)}\n`);

/** Opens the store. Prints the error and ends the process, if it cannot. */
async function open(schema = format.schema) {
  try {
    return await make(directory).open({ ...format, schema });
  } catch (error) {
    print({ code: error.code, message: error.message, isTyped: error instanceof Error });
    process.exit(0);
  }
}

/** Takes all entries of a lane, page by page. */
async function takeAll(store, lane, page) {
  const all = [];
  for (let after = 0; ; after = all.at(-1).id) {
    const taken = await store.take(lane, after, page);
    all.push(...taken);
    if (taken.length < page) return all;
  }
}

const commands = {
  /** Appends batches of entries until it is killed. Prints the number of the last entry after each durable append. */
  async write() {
    const store = await open();
    let id = store.content.lastId;
    for (;;) {
      const batch = Array.from({ length: 1 + (id % 37) }, () => entryOf(++id));
      await store.append(batch);
      print(id);
    }
  },

  /** Appends `argument` entries, and closes the store. */
  async append() {
    const store = await open();
    for (let left = Number(argument), id = store.content.lastId; left > 0; left -= 100) {
      await store.append(Array.from({ length: Math.min(100, left) }, () => entryOf(++id)));
    }
    await store.close();
    print('closed');
  },

  /** Prints what is in the store, and whether all of it is right. */
  async read() {
    const store = await open();
    const { content } = store;
    const lanes = [];
    const damaged = [];
    let wrong = 0;
    let unordered = 0;
    const deliveries = new Set();
    for (const lane of [0, 1]) {
      const entries = await takeAll(store, lane, 61);
      for (const [i, { id, bytes, deliveries: count }] of entries.entries()) {
        if (i > 0 && id <= entries[i - 1].id) unordered++;
        if (bytes === undefined) damaged.push(id);
        else if (!isEntry(id, lane, bytes)) wrong++;
        deliveries.add(count);
      }
      lanes.push(entries.map(({ id }) => id));
    }
    await store.close();
    print({ content, lanes, damaged, wrong, unordered, deliveries: [...deliveries].sort() });
  },

  /** Removes the entries of lane 1 whose number is divisible by 3, and entries that are not there. */
  async remove() {
    const store = await open();
    const ids = (await takeAll(store, 1, 500)).map(({ id }) => id).filter((id) => id % 3 === 0);
    await store.remove(1, [...ids, 999_999_999]);
    await store.remove(0, ids);
    await store.close();
    print(ids);
  },

  /** Opens the store, and keeps it open until it is killed. */
  async hold() {
    await open();
    print('open');
    setInterval(() => {}, 1_000);
  },

  /** Tries to open the store with another schema. */
  async schema() {
    await open(8n);
  },

  /** Appends until that fails, removes entries, and appends again. Prints the numbers of the durable entries. */
  async fill() {
    const store = await open();
    let id = store.content.lastId;
    const durable = [];
    let code;
    while (code === undefined && durable.length < 100_000) {
      const batch = Array.from({ length: 100 }, () => entryOf(++id));
      try {
        await store.append(batch);
        durable.push(...batch.map((entry) => entry.id));
      } catch (error) {
        code = error.code;
      }
    }
    print({ code, durable, entryBytes });
    process.exit(0);
  },
};

await commands[command]();
