import { describe, expect, it } from 'vitest';
import { expectEnded, run } from '../program.js';
import { storeFiles } from './store-files.js';
import { temporary } from './temporary.js';

describe('The file of a store', { timeout: 120_000 }, () => {
  for (const { name, file, node } of storeFiles) {
    it.skipIf(node === undefined || process.platform !== 'linux')(
      `is free again when the thread that had it was terminated: ${name}`,
      async () => {
        const program = new URL('./programs/terminated-owner.js', import.meta.url);
        const ended = await run(program, [file, temporary()], { node: node as string });
        expectEnded(ended, 0, '[1,2,3,4]');
      },
    );
  }

  it('can be opened, whenever the process was killed that made it: lmdbStore', async () => {
    const program = new URL('./programs/killed-opening.js', import.meta.url);
    const directory = temporary();
    let kills = 0;
    for (let transactions = 1; ; transactions++) {
      const path = `${directory}/${transactions}`;
      const { signal } = await run(program, [path, String(transactions)]);
      expectEnded(await run(program, [path, '0']), 0, 'opened');
      if (signal === null) break;
      kills++;
    }
    expect(kills).toBeGreaterThan(2);
  });

  const sqlite = storeFiles.find(({ name }) => name === 'sqliteStore')?.node;
  if (sqlite !== undefined) {
    it.each([
      ['before it is alone', 1, ['appended', true, true, true]],
      ['while it puts the copy in its place', 2, ['ERR_SLUICE_STORE_LOCKED', true, false, true]],
    ])('is saved by one process at a time, if another one opens it %s: sqliteStore', async (_, n, said) => {
      const program = new URL('./programs/salvaging.js', import.meta.url);
      const ended = await run(program, [`${temporary()}/store.db`, String(n)], { node: sqlite });
      expectEnded(ended, 0, JSON.stringify(said));
    });
  }
});
