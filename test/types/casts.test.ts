import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const here = join('test', 'types', 'casts.test.ts');
/** For values that are meant to fit nowhere. */
const mistyped = join('test', 'mistyped.ts');

/** The lines of tests in `folder` that match, but for those of strings. */
function lines(folder: string, pattern: RegExp): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((file) => /\.[cm]?[jt]s$/.test(file) && file !== here && file !== mistyped);
  expect(files).not.toEqual([]);
  return files.flatMap((file) =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
  );
}

describe('tests', () => {
  it('make no value fit anywhere', () => {
    expect(lines('test', /\bas (?:never|any)\b(?! [a-z])|@ts-(?:ignore|nocheck)/)).toEqual([]);
  });

  // Where a framework and sluice meet: a cast there is a type of sluice's that a user would have to cast, too.
  it.each(['http', 'docs', 'hostile', 'types'])('use the types of sluice as they are: %s', (folder) => {
    expect(lines(join('test', folder), /\bas unknown as\b/)).toEqual([]);
  });
});
