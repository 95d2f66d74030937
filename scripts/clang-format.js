// Formats the C++ sources in place; with --check only reports what would change.
// One fixed version, because every major version of clang-format formats a little differently.

import { spawnSync } from 'node:child_process';

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

const files = run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.h', '*.cc', '*.cpp'])
  .stdout.split('\n')
  .filter(Boolean);
if (files.length === 0) throw new Error('git lists no C++ sources: run this in a checkout of the repository');
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const { status } = run(program, [...mode, ...files], { stdio: 'inherit' });
console.log(`${program}: ${files.length} files ${status === 0 ? 'in order' : 'NOT in order'}`);
process.exitCode = status ?? 1;
