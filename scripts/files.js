// Lists the files of the repository, by git.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../', import.meta.url));

/**
 * Returns the files that git tracks or would track: no installed package, and nothing that a link leads to, which
 * Node.js 20 follows when it lists a directory with all below it.
 * @param {readonly string[]} [under] only those in these directories; relative to the root, as the result is
 * @param {string} [root] of the working tree
 * @returns {string[]}
 */
export function listFiles(under = [], root = repository) {
  const listed = execFileSync('git', ['ls-files', '-coz', '--exclude-standard', '--', ...under], {
    cwd: root,
    encoding: 'utf8',
  });
  return listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
}
