/**
 * The C++ programs of the benchmarks. The local compiler makes them when they are needed, and they are removed when the
 * process ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, host, native, runCompiler, runOn, system } from '../../../../test/core/compiler.js';

/** @typedef {import('../../../../test/core/compiler.js').Target} Target */

/** @typedef {import('../../../../test/core/compiler.js').Ended} Ended */

/**
 * Runs the program, or runs it with the command `under`.
 * @typedef {(args: (string | number)[], under?: string[]) => Promise<Ended>} Program
 */

/** The error of a program that failed. */
export class ProgramFailed extends Error {}

const flags = [
  '-O2',
  '-DNDEBUG',
  `-I${native}`,
  `-I${fileURLToPath(new URL('.', import.meta.url))}`,
  '-pthread',
];

/** @type {string | undefined} */
let directory;
let programs = 0;

/**
 * Returns the reason why no program for `target` can be made or run here; undefined if one can.
 * @param {Target} [target]
 */
export async function whyNot({ compiler, emulator } = host) {
  for (const needed of emulator === undefined ? [compiler] : [compiler, emulator]) {
    if ((await runCompiler(needed, ['--version'])).code !== 0) return `there is no ${needed}`;
  }
  return undefined;
}

/**
 * Compiles a program from one source file.
 * @param {URL} source
 * @param {{ target?: Target, more?: string[] }} [options] `more`: flags before all others
 * @returns {Promise<Program>}
 */
export async function program(source, { target = host, more = [] } = {}) {
  const output = join(scratch(), `program-${programs++}`);
  await compile([...more, ...flags, fileURLToPath(source), system, '-o', output], target);
  return (args, under = []) => {
    const [command, ...rest] = [...under, output, ...args.map(String)];
    return runOn(target, /** @type {string} */ (command), rest);
  };
}

/**
 * Returns the JSON object that a program writes.
 * @param {Promise<Ended>} running
 * @throws ProgramFailed with its output, if its exit code is not 0
 */
export async function answer(running) {
  const { code, output, problem } = await running;
  if (code !== 0) throw new ProgramFailed(`exit code ${code}: ${problem} ${output}`);
  return JSON.parse(output);
}

/**
 * Makes a copy of core/base/atomics.h that does not keep words of different threads apart. Returns the flag (`-I`) by
 * which the compiler finds the copy, if it is the first such flag. With the copy, the words of different threads are
 * side by side in the core's objects.
 */
export async function withoutPadding() {
  const header = await readFile(`${native}/core/base/atomics.h`, 'utf8');
  const padded = 'inline constexpr std::size_t kCacheLine = 128;';
  if (!header.includes(padded)) throw new Error(`core/base/atomics.h has no line "${padded}"`);
  const copy = join(scratch(), 'without-padding');
  await mkdir(join(copy, 'core/base'), { recursive: true });
  await writeFile(join(copy, 'core/base/atomics.h'), header.replace(padded, padded.replace('128', '8')));
  return `-I${copy}`;
}

function scratch() {
  if (directory !== undefined) return directory;
  const made = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  directory = made;
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}
