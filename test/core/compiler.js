// Runs the compiler and the programs that it makes: at most two processes at a time, each with a time limit.

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const native = `${root}native`;
/** Every program that contains the core is linked with this file: see native/core/base/system.h. */
export const system = `${native}/platform/system.cc`;
export const mapping = [`${native}/platform/mapping.cc`, `${native}/platform/arena.cc`];
/** The sources of the sessions: all of native/session. @type {readonly string[]} */
export const sessions = readdirSync(`${native}/session`)
  .filter((name) => name.endsWith('.cc'))
  .sort()
  .map((name) => `${native}/session/${name}`);

/** A compiler, and the emulator that runs its programs. @typedef {{ compiler: string, emulator?: string }} Target */

/** @type {Target} */
export const host = { compiler: process.env.CXX ?? 'g++' };
/**
 * Programs for aarch64 are linked statically, so that the emulator needs no libraries of that system.
 * @type {Target}
 */
export const aarch64 = { compiler: 'aarch64-linux-gnu-g++', emulator: 'qemu-aarch64-static' };
const strict = ['-std=c++20', '-Wall', '-Wextra', '-Wpedantic', '-Werror'];

/** How long a compiler may take: it needs up to half a minute of a processor, which others may use meanwhile. */
const compilerSeconds = 1_200;

let free = 2;
/** @type {(() => void)[]} */
const queue = [];

/**
 * @template T
 * @param {() => Promise<T>} task
 */
async function withSlot(task) {
  while (free === 0) await new Promise((/** @type {(value: void) => void} */ resolve) => queue.push(resolve));
  free -= 1;
  try {
    return await task();
  } finally {
    free += 1;
    queue.shift()?.();
  }
}

/** @typedef {{ code: number | null, output: string, seconds: number, problem: string }} Ended */

/**
 * Runs a program as soon as fewer than two processes run.
 * @param {string} command
 * @param {string[]} args
 * @param {{ timeoutSeconds?: number, env?: Record<string, string> }} [options]
 * @returns {Promise<Ended>} `problem` is empty if it ended by itself.
 */
export function run(command, args, { timeoutSeconds = 300, env = {} } = {}) {
  return withSlot(
    () =>
      new Promise((resolve) => {
        const start = performance.now();
        const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env } });
        let output = '';
        let problem = '';
        const timer = setTimeout(() => {
          problem = `no end after ${timeoutSeconds} s`;
          child.kill('SIGKILL');
        }, timeoutSeconds * 1000);
        const take = (/** @type {string} */ text) => {
          output += text;
        };
        child.stdout.setEncoding('utf8').on('data', take);
        child.stderr.setEncoding('utf8').on('data', take);
        /** @param {number | null} code @param {NodeJS.Signals | null} signal @param {Error} [error] */
        const end = (code, signal, error) => {
          clearTimeout(timer);
          problem ||= error?.message ?? (signal === null ? '' : `killed by ${signal}`);
          resolve({ code, output, seconds: (performance.now() - start) / 1000, problem });
        };
        child.on('error', (error) => end(null, null, error));
        child.on('close', (code, signal) => end(code, signal));
      }),
  );
}

/**
 * Runs a compiler. As in `CXX`, `compiler` may begin with a program that starts it: `ccache g++`.
 * @param {string} compiler
 * @param {string[]} args
 */
export function runCompiler(compiler, args) {
  const [program = '', ...more] = compiler.split(' ');
  return run(program, [...more, ...args], { timeoutSeconds: compilerSeconds });
}

/**
 * Runs a program that was made for `target`.
 * @param {Target} target
 * @param {string} program
 * @param {string[]} [args]
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runOn({ emulator }, program, args = [], options = {}) {
  return emulator === undefined ? run(program, args, options) : run(emulator, [program, ...args], options);
}

/**
 * Compiles with warnings as errors. If that fails, throws an error with the compiler's output.
 * @param {string[]} args
 * @param {Target} [target]
 */
export async function compile(args, { compiler } = host) {
  const result = await runCompiler(compiler, [...strict, ...args]);
  if (result.code !== 0)
    throw new Error(`${compiler} ${args.join(' ')}\n${result.problem}\n${result.output}`);
  return result;
}

/**
 * Whether the compiler finds a header.
 * @param {string} header
 * @param {string} scratch
 */
export async function hasHeader(header, scratch) {
  return builds(scratch, `#include <${header}>\n`, ['-fsyntax-only']);
}

/**
 * Whether an empty program can be linked with these flags and runs.
 * @param {string[]} flags
 * @param {string} scratch
 * @param {Target} [target]
 */
export async function canLink(flags, scratch, target = host) {
  const program = join(scratch, `empty${target.compiler}${flags.join('')}`.replaceAll('/', ''));
  return (
    (await builds(scratch, 'int main() {}\n', [...flags, '-o', program], target)) &&
    (await runOn(target, program)).code === 0
  );
}

/**
 * The file in which the compiler finds a header.
 * @param {string} header
 * @param {string} scratch
 */
export async function fileOfHeader(header, scratch) {
  const { output } = await runCompiler(host.compiler, ['-M', await probe(scratch, `#include <${header}>\n`)]);
  const file = output.split(/[\s\\]+/).find((path) => path.endsWith(`/${header}`));
  if (file === undefined) throw new Error(`${host.compiler} -M does not name ${header}: ${output}`);
  return file;
}

/** @param {string} scratch @param {string} text @param {string[]} args @param {Target} [target] */
async function builds(scratch, text, args, { compiler } = host) {
  return (await runCompiler(compiler, ['-std=c++20', await probe(scratch, text), ...args])).code === 0;
}

/** @param {string} scratch @param {string} text */
async function probe(scratch, text) {
  const source = join(await mkdtemp(join(scratch, 'probe-')), 'probe.cc');
  await writeFile(source, text);
  return source;
}
