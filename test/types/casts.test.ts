import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Where a framework and sluice meet: a cast there is a type of sluice's that a user would have to cast, too. */
const folders = ['test/http', 'test/docs', 'test/hostile', 'test/types'];
/** What makes a value fit anywhere. `mistyped` of test/mistyped.ts is for values that are meant not to. */
const evasion = /\bas (?:never|any|unknown as)\b|@ts-(?:ignore|nocheck)/;

describe('tests of sluice over HTTP', () => {
  it('use its types as they are', () => {
    const files = folders.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
        join(folder, name),
      ),
    );
    const found = files
      .filter((file) => /\.[cm]?[jt]s$/.test(file) && file !== join('test', 'types', 'casts.test.ts'))
      .flatMap((file) =>
        readFileSync(join(root, file), 'utf8')
          .split('\n')
          .flatMap((line, i) => (evasion.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
      );
    expect(files.length).toBeGreaterThan(20);
    expect(found).toEqual([]);
  });
});
