import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(`${root}docs/guide/guarantees.md`, 'utf8');
/** The rows of the tables of promises, without their heads. */
const promises = text.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| promise'));

describe('docs/guide/guarantees.md', () => {
  it('names for each promise the tests that hold it, and they exist', () => {
    expect(promises.length).toBeGreaterThan(20);
    for (const promise of promises) {
      const tests = [...promise.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path as string);
      expect(tests.length, promise).toBeGreaterThan(0);
      for (const path of tests) expect(existsSync(root + path), path).toBe(true);
    }
  });
});
