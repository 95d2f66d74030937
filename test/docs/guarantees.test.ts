import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** The tables whose rows are promises: the guide, the first word of each head, and at least how many rows there are. */
const tables = [
  { guide: 'guarantees.md', head: '| promise', rows: 20 },
  { guide: 'redis-sale.md', head: '| what fails', rows: 14 },
];

describe.each(tables)('docs/guide/$guide', ({ guide, head, rows }) => {
  it('names for each promise the tests that hold it, and they exist', () => {
    const promises = rowsBelow(readFileSync(`${root}docs/guide/${guide}`, 'utf8'), head);
    expect(promises.length).toBeGreaterThan(rows);
    for (const promise of promises) {
      const tests = [...promise.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path as string);
      expect(tests.length, promise).toBeGreaterThan(0);
      for (const path of tests) expect(existsSync(root + path), path).toBe(true);
    }
  });
});

/** Returns the rows of all tables with this head. */
function rowsBelow(text: string, head: string): string[] {
  const found: string[] = [];
  let isOfTable = false;
  for (const line of text.split('\n')) {
    if (line.startsWith(head)) isOfTable = true;
    else if (!line.startsWith('|')) isOfTable = false;
    else if (isOfTable && !line.startsWith('|--')) found.push(line);
  }
  return found;
}
