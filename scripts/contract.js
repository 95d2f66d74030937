// Writes lib/binding/contract.ts from native/contract or, with --check, fails if the file differs from what it would
// write. Without a C++ compiler --check checks nothing and does not fail: the repository contains the file.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf, root } from './digest.js';

const printed = join(root, 'lib/binding/contract.ts');
const program = join(root, `build/contract${process.platform === 'win32' ? '.exe' : ''}`);
/**
 * The file with the digest of everything that the last successful check read. Every build begins with a check; this
 * file saves the seconds of a check if nothing has changed.
 */
const checked = join(root, 'build/contract.checked');

/** @param {string} command @param {readonly string[]} args */
function run(command, args) {
  return spawnSync(command, args, { cwd: root, encoding: 'utf8', timeout: 300_000 });
}

const digest = () => digestOf(['native/contract', 'native/core', 'lib/binding/contract.ts']);

function wasChecked() {
  try {
    return readFileSync(checked, 'utf8') === digest();
  } catch {
    return false;
  }
}

/** @returns {string | undefined} undefined without a compiler. */
function contract() {
  const [compiler = 'c++', ...flags] = (process.env.CXX ?? 'c++').split(' ');
  if (run(compiler, [...flags, '--version']).status !== 0) return undefined;
  mkdirSync(join(root, 'build'), { recursive: true });
  const strict = ['-std=c++20', '-O0', '-Wall', '-Wextra', '-Werror', '-Inative'];
  const built = run(compiler, [...flags, ...strict, 'native/contract/print.cc', '-o', program]);
  if (built.status !== 0) throw new Error(`native/contract/print.cc does not compile:\n${built.stderr}`);
  const { status, stdout } = run(program, []);
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
  return stdout;
}

if (process.argv.includes('--check')) {
  if (!wasChecked()) {
    const text = contract();
    if (text === undefined) {
      console.log('contract: not checked, there is no C++ compiler (CXX)');
    } else if (text === readFileSync(printed, 'utf8')) {
      writeFileSync(checked, digest());
    } else {
      console.error(
        'contract: lib/binding/contract.ts is stale: native/contract or native/core says something else.\n' +
          'What to do: npm run contract, and commit what it changes.',
      );
      process.exitCode = 1;
    }
  }
} else {
  const text = contract();
  if (text === undefined) throw new Error('contract: this needs a C++20 compiler: set CXX');
  writeFileSync(printed, text);
  writeFileSync(checked, digest());
}
