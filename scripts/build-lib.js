// Compiles lib/ to dist/ with tsc. With --if-stale it does so only if lib/, tsconfig.json, package-lock.json or dist/
// has changed since the last build. During a build dist/ stays in place, and each of its files is complete: tsc writes
// into another directory, and then each changed file is renamed into dist/. A test or a server that runs meanwhile
// misses only files whose sources were removed from lib/.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { digestOf, filesBelow, root } from './digest.js';

const stamp = join(root, 'build/lib.built');

/** Returns the digests of the sources and of dist/. @param {string} sources */
function stampOf(sources) {
  return `${sources} ${digestOf(['dist'])}`;
}

function sources() {
  return digestOf(['lib', 'tsconfig.json', 'package-lock.json']);
}

function isFresh() {
  try {
    return readFileSync(stamp, 'utf8') === stampOf(sources());
  } catch {
    return false; // nothing was built
  }
}

/** @param {string} file */
function content(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // the file is new
  }
}

/** @param {string} from a directory beside dist/ */
function publish(from) {
  const files = filesBelow(join(root, from));
  for (const file of files) {
    const [made, published] = [join(root, from, file), join(root, 'dist', file)];
    if (content(made) === content(published)) continue;
    mkdirSync(dirname(published), { recursive: true });
    renameSync(made, published);
  }
  for (const file of filesBelow(join(root, 'dist'))) {
    if (!files.includes(file)) rmSync(join(root, 'dist', file), { force: true });
  }
}

/** @returns {number | null} the exit status */
function build() {
  // The directory is as deep as dist/, because source maps hold relative paths.
  const beside = `.dist-${process.pid}`;
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const before = sources(); // so that an edit during the build makes the stamp stale
  try {
    const args = [tsc, '-p', 'tsconfig.json', '--outDir', beside];
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
    publish(beside);
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, stampOf(before));
    return 0;
  } finally {
    rmSync(join(root, beside), { recursive: true, force: true });
  }
}

if (!(process.argv.includes('--if-stale') && isFresh())) process.exitCode = build() ?? 1;
