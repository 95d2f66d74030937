// Lists the files of the repository, by git.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root as repository } from './digest.js';

/**
 * Returns the files that git tracks or would track. So it lists no installed package, and follows no link, as
 * `readdirSync` with `recursive` does in Node.js 20.
 * @param {readonly string[]} [under] only those in these directories; relative to the root, as the result is
 * @param {string} [root] of the working tree
 * @returns {string[]}
 */
export function listFiles(under = [], root = repository) {
  const listed = execFileSync(
    'git',
    ['ls-files', '--cached', '--others', '-z', '--exclude-standard', '--', ...under],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  // git also lists a file that was removed and not yet committed.
  return listed.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
}
