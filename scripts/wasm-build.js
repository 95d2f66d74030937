// Builds the WebAssembly face from native/wasm and writes it to lib/binding/wasm-module.ts, which is in the repository,
// so that an installation needs no compiler for WebAssembly.
//
//   node scripts/wasm-build.js          writes the file
//   node scripts/wasm-build.js --check  fails if it would change the file
//
// Wants Debian's clang-14, lld-14, libc++-14-dev-wasm32 and wasi-libc: another compiler makes other bytes.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { native, root, run } from '../test/core/compiler.js';
import { findTool, skip, sourcesIn } from './clang.js';

const file = `${root}lib/binding/wasm-module.ts`;
/** Characters of the module in a line. */
const columns = 100;

/** How the module is compiled. No function is called in it: each call is one function. */
const compile = [
  ...[
    '--target=wasm32-wasi',
    '-matomics',
    '-mbulk-memory',
    '-O3',
    '-std=c++20',
    '-fno-exceptions',
    '-fno-rtti',
  ],
  ...['-Wall', '-Wextra', '-Wpedantic', '-Werror', `-I${native}`],
];
const link = [
  '-nostdlib',
  '-Wl,--no-entry,--import-memory,--shared-memory,--max-memory=1073741824,--strip-all,--stack-first',
];

/** Returns the bytes of the module, and the version of the compiler. */
export async function buildModule() {
  const clang = findTool('clang++');
  const scratch = await mkdtemp(join(tmpdir(), 'sluice-wasm-'));
  try {
    const output = join(scratch, 'module.wasm');
    const sources = sourcesIn(['native/wasm'], /\.cc$/).map((source) => `${root}${source}`);
    const built = await run(clang, [...compile, ...link, ...sources, '-o', output]);
    if (built.code !== 0) throw new Error(built.output || built.problem);
    const version = (await run(clang, ['--version'])).output.split('\n')[0]?.trim() ?? '';
    return { bytes: await readFile(output), version };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** @param {{ bytes: Buffer, version: string }} built */
function generated({ bytes, version }) {
  const lines = bytes.toString('base64').match(new RegExp(`.{1,${columns}}`, 'g')) ?? [];
  return `/** Generated from native/wasm by scripts/wasm-build.js, with ${version}. */

/** The WebAssembly module of ${bytes.length} bytes, in base64. */
export const wasmModule: string =
${lines.map((line) => `  '${line}'`).join(' +\n')};
`;
}

/** Returns why the file is not what the sources make; empty: it is. */
export async function staleModule() {
  const text = generated(await buildModule());
  return (await readFile(file, 'utf8').catch(() => '')) === text
    ? ''
    : 'lib/binding/wasm-module.ts is not what native/wasm makes: run "npm run build:wasm"';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if ((await run('wasm-ld-14', ['--version'])).code !== 0) skip('wasm-ld is not installed (Debian: lld-14)');
  if (process.argv.includes('--check')) {
    const problem = await staleModule();
    if (problem !== '') console.error(problem);
    process.exitCode = problem === '' ? 0 : 1;
  } else {
    await writeFile(file, generated(await buildModule()));
  }
}
