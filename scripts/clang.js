// Helpers of clang-format.js, clang-tidy.js, wasm-check.js and compile-commands.js. They find a tool of clang, in one
// fixed version because every major version formats and warns a little differently, and the C++ sources.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { listFiles } from './files.js';

const version = '14';

/**
 * Returns the command of the tool. Ends the process if the tool is not installed: with a message on a developer's
 * machine, with an error in CI.
 * @param {'clang-format' | 'clang-tidy' | 'clang++'} tool
 */
export function findTool(tool) {
  const program = [`${tool}-${version}`, tool].find((name) =>
    spawnSync(name, ['--version'], { encoding: 'utf8' }).stdout?.includes(`version ${version}.`),
  );
  if (program !== undefined) return program;
  return skip(`${tool} ${version} is not installed (Debian: ${tool.replace('++', '')}-${version})`);
}

/** @param {string} reason @returns {never} */
export function skip(reason) {
  console.warn(`SKIPPED: ${reason}`);
  process.exit(process.env.CI ? 1 : 0);
}

/** @param {string[]} directories @param {RegExp} pattern */
export function sourcesIn(directories, pattern) {
  return listFiles(directories).filter((file) => pattern.test(file));
}

/**
 * Returns those of node-gyp's flags that a tool needs to read the sources of the addon. Requires a build of the addon.
 */
export function addonFlags() {
  const { variables } = JSON.parse(readFileSync('build/config.gypi', 'utf8').replace(/^#.*$/gm, ''));
  const { include_dir: addonApi } = createRequire(import.meta.url)('node-addon-api');
  return [
    '-std=c++20',
    '-Inative',
    `-isystem${addonApi}`,
    `-isystem${join(variables.nodedir, 'include', 'node')}`,
    '-DNAPI_VERSION=8',
  ];
}
