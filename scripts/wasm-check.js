// Checks that the core needs no operating system, so that a WebAssembly module can contain it:
//   1. no header of native/core includes a header of an operating system, or one that needs an operating system;
//   2. each header compiles for wasm32 by itself;
//   3. the calls on the hot paths link without a C library to a module that imports only its memory and the functions
//      of native/core/base/system.h;
//   4. every struct in shared memory has the same layout in wasm32 as in 64-bit native code;
//   5. lib/binding/wasm-module.ts is what native/wasm makes, byte for byte, and leaves no claim unpublished (see
//      wasm-paths.js).
// Where clang or the headers for wasm32 are missing, it reports that the checks are skipped, which is an error in CI.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { native, root, run } from '../test/core/compiler.js';
import { findTool, skip, sourcesIn } from './clang.js';
import { freestanding } from './structure.js';
import { buildModule, staleModule } from './wasm-build.js';
import { faults } from './wasm-paths.js';

const clang = findTool('clang++');
const structs = `${root}test/core/support/shared_structs.h`;
const language = ['-std=c++20', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fno-exceptions', '-fno-rtti'];
const includes = [`-I${native}`, `-I${root}test/core/support`];
const wasm = [...language, ...includes, '--target=wasm32-wasi', '-matomics', '-mbulk-memory'];

let passed = 0;
let failed = 0;
/** @param {string} what @param {string} problem empty: there is none */
function report(what, problem) {
  if (problem === '') passed += 1;
  else failed += 1;
  console.log(`${problem === '' ? 'passed' : 'failed'}  ${what}${problem && `: ${problem}`}`);
}

/** @param {string[]} args @returns {Promise<{ output: string, problem: string }>} */
async function compile(args) {
  const { code, output, problem } = await run(clang, args);
  return { output, problem: code === 0 ? '' : problem || errorsOf(output) || `${clang} ended with ${code}` };
}

/** @param {string} output */
function errorsOf(output) {
  return output
    .split('\n')
    .filter((line) => line.includes('error: '))
    .join('\n');
}

/** @param {string} header below native/ */
async function checkHeader(header) {
  const text = await readFile(join(native, header), 'utf8');
  const foreign = [...text.matchAll(/^\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")/gm)]
    .filter(([, standard, own]) => {
      if (standard === undefined) return !/^(core|contract)\//.test(own ?? '');
      return !freestanding.includes(standard);
    })
    .map(([line]) => line.trim());
  if (foreign.length > 0) return report(header, foreign.join(', '));
  const { problem } = await compile([
    ...wasm,
    '-Wno-pragma-once-outside-header',
    '-fsyntax-only',
    '-x',
    'c++',
    join(native, header),
  ]);
  report(header, problem);
}

/** @param {string} scratch */
async function checkModule(scratch) {
  const output = join(scratch, 'hot-paths.wasm');
  const link = ['-nostdlib', '-Wl,--no-entry,--import-memory,--shared-memory,--max-memory=67108864'];
  const { problem } = await compile([...wasm, '-O3', ...link, `${root}test/wasm/hot_paths.cc`, '-o', output]);
  if (problem !== '') return report('hot paths link', problem);
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(new Uint8Array(await readFile(output))));
  const foreign = imports
    .map(({ module, name }) => `${module}.${name}`)
    .filter((name) => name !== 'env.memory' && !name.startsWith('system.'));
  report('hot paths import memory and the system only', foreign.join(', '));
}

/**
 * Returns the layout of each struct by its name: the offsets of its members, and its size.
 * @param {string[]} target
 * @returns {Promise<Map<string, string>>}
 */
async function layouts(target) {
  const dump = ['-fsyntax-only', '-Xclang', '-fdump-record-layouts', '-Wno-pragma-once-outside-header'];
  const { output, problem } = await compile([
    ...language,
    ...includes,
    ...target,
    ...dump,
    '-x',
    'c++',
    structs,
  ]);
  if (problem !== '') throw new Error(problem);
  return new Map(
    output.split('*** Dumping AST Record Layout\n').flatMap((record) => {
      const name = record.match(/^ *0 \| (?:struct|class) sluice::(.*?)(?: \(empty\))?$/m)?.[1];
      if (name === undefined) return [];
      // Only the struct's direct members, because the members of an atomic differ between standard libraries.
      const members = [...record.matchAll(/^ *([\d:-]+) \| {3}\S.* (\S+)$/gm)].map(
        ([, at, member]) => `${member} ${at}`,
      );
      return [[plain(name), [...members, record.match(/sizeof=\d+/)?.[0]].join(', ')]];
    }),
  );
}
/** Returns a name without the arguments of templates. @param {string} name */
function plain(name) {
  return name.replace(/<.*>/, '');
}

async function checkLayouts() {
  const [here, there] = await Promise.all([layouts([]), layouts(['--target=wasm32-wasi', '-matomics'])]);
  for (const [, struct] of (await readFile(structs, 'utf8')).matchAll(
    /^static_assert\(sizeof\((.+)\) ==/gm,
  )) {
    const name = plain(String(struct));
    const [native64, wasm32] = [here.get(name), there.get(name)];
    const same = native64 !== undefined && native64 === wasm32;
    report(`layout of ${struct}`, same ? '' : `${native64} in native code, ${wasm32} in WebAssembly`);
  }
}

async function checkFace() {
  report('lib/binding/wasm-module.ts is what native/wasm makes', await staleModule());
  report('every claim is published', faults((await buildModule()).bytes).join(', '));
}

const scratch = await mkdtemp(join(tmpdir(), 'sluice-wasm-'));
try {
  const probe = ['-x', 'c++', '-fsyntax-only', '-include', 'atomic', '/dev/null'];
  if ((await compile([...wasm, ...probe])).problem !== '') {
    skip('the headers for wasm32 are not installed (Debian: libc++-14-dev-wasm32 wasi-libc)');
  }
  if ((await run('wasm-ld-14', ['--version'])).code !== 0) skip('wasm-ld is not installed (Debian: lld-14)');
  const headers = sourcesIn(['native/core'], /\.h$/).map((file) => file.replace(/^native\//, ''));
  await Promise.all([...headers.sort().map(checkHeader), checkModule(scratch), checkLayouts(), checkFace()]);
} catch (error) {
  report('wasm check', error instanceof Error ? error.message : String(error));
} finally {
  await rm(scratch, { recursive: true, force: true });
}
console.log(`check:wasm: ${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
