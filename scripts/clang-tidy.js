// Lints the C++ sources below native/: the addon as one source, those that are no part of it, and through them the
// headers of core, session, contract, platform and addon. The checks are in .clang-tidy. Run it after
// `npm run build:native`, which finds Node's headers.

import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { addonFlags, findTool, sourcesIn } from './clang.js';

const program = findTool('clang-tidy');
const flags = [...addonFlags(), '-DNAPI_DISABLE_CPP_EXCEPTIONS'];

const all = 'native/addon/all.cc';
const files = [all, ...sourcesIn(['native'], /^native\/(?!addon|platform|session).*\.cc$/)];
const waiting = [...files];

/** @param {string} file @returns {Promise<boolean>} whether clang-tidy reports nothing */
function isInOrder(file) {
  return new Promise((resolve) => {
    execFile(program, ['--quiet', file, '--', ...flags], (error, stdout) => {
      process.stdout.write(stdout);
      resolve(error === null);
    });
  });
}

/** @returns {Promise<number>} how many of the files that this call took have faults */
async function lane() {
  let wrong = 0;
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    if (!(await isInOrder(file))) wrong += 1;
  }
  return wrong;
}

const wrong = (await Promise.all(Array.from({ length: availableParallelism() }, lane))).reduce(
  (a, b) => a + b,
);
console.log(`${program}: ${files.length - wrong} files in order, ${wrong} not`);
process.exitCode = wrong === 0 ? 0 : 1;
