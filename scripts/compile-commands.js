// Writes compile_commands.json, from which clangd and other tools read how the C++ sources of native/ and test/core/
// are compiled: the former one by one with node-gyp's flags, the latter as by test/core/run.js. Run it after
// `npm run build:native`, which finds Node's headers, and again when a source is added.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addonFlags, sourcesIn } from './clang.js';
import { root } from './digest.js';

const warnings = ['-Wall', '-Wextra', '-Wpedantic'];
const core = ['-std=c++20', ...warnings, '-Inative', '-Itest/core/support', '-Itest/core/model'];
const addon = [...addonFlags(), ...warnings, '-Wno-cast-function-type'];

/** @param {string[]} directories @param {string[]} flags */
function commands(directories, flags) {
  return sourcesIn(directories, /\.cc$/).map((file) => ({
    directory: root,
    file,
    arguments: ['c++', ...flags, '-c', file],
  }));
}

const all = [...commands(['native'], addon), ...commands(['test/core'], core)];
writeFileSync(join(root, 'compile_commands.json'), `${JSON.stringify(all, undefined, 2)}\n`);
console.log(`compile_commands.json: ${all.length} sources`);
