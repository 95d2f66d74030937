// Formats the C++ sources in place; with --check only reports what would change.
// One fixed version, because every major version of clang-format formats a little differently.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const version = '14';

/** @param {string} command @param {string[]} args @param {import('node:child_process').SpawnSyncOptions} [options] */
function run(command, args, options) {
  return spawnSync(command, args, { ...options, encoding: 'utf8' });
}

const program = [`clang-format-${version}`, 'clang-format'].find((name) =>
  run(name, ['--version']).stdout?.includes(`version ${version}.`),
);
if (program === undefined) {
  const message = `clang-format ${version} is not installed (Debian: clang-format-${version})`;
  if (process.env.CI) throw new Error(message);
  console.warn(`C++ format skipped: ${message}`);
  process.exit(0);
}

const files = ['native', 'test/core'].flatMap((directory) =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(h|cc|cpp)$/.test(file))
    .map((file) => join(directory, file)),
);
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const { status } = run(program, [...mode, ...files], { stdio: 'inherit' });
console.log(`${program}: ${files.length} files ${status === 0 ? 'in order' : 'NOT in order'}`);
process.exitCode = status ?? 1;
