import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { listFiles } from '../../scripts/files.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const here = 'test/types/casts.test.ts';
/** The only test file that may cast a value to `never`, which is allowed in place of every type. */
const mistyped = 'test/mistyped.ts';

/** Returns the lines that match the pattern, with their places, in the files of `folder`. */
function lines(folder: string, pattern: RegExp): string[] {
  const files = listFiles([folder]).filter(
    (file) => /\.[cm]?[jt]s$/.test(file) && file !== here && file !== mistyped,
  );
  expect(files).not.toEqual([]);
  return files.flatMap((file) =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
  );
}

describe('tests', () => {
  it('cast no value to never or any', () => {
    expect(lines('test', /\bas (?:never|any)\b(?! [a-z])|@ts-(?:ignore|nocheck)/)).toEqual([]);
  });

  // The tests in these folders use sluice with frameworks. If a test needs a cast there, a user would need it, too.
  it.each(['http', 'docs', 'hostile', 'types'])('use the types of sluice as they are: %s', (folder) => {
    expect(lines(join('test', folder), /\bas unknown as\b/)).toEqual([]);
  });
});
