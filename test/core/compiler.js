// Runs the compiler and the programs it makes: at most two processes at a time, each bounded in time.

import { spawn } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const native = `${root}native`;
const compiler = process.env.CXX ?? 'g++';
const strict = ['-std=c++20', '-Wall', '-Wextra', '-Wpedantic', '-Werror'];

let free = 2;
const queue = [];

async function withSlot(task) {
  while (free === 0) await new Promise((resolve) => queue.push(resolve));
  free -= 1;
  try {
    return await task();
  } finally {
    free += 1;
    queue.shift()?.();
  }
}

/**
 * Runs a program when one of the two places is free.
 * @returns {Promise<{ code: number | null, output: string, seconds: number, problem: string }>} `problem` is
 * empty when it ended by itself.
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
        const take = (text) => {
          output += text;
        };
        child.stdout.setEncoding('utf8').on('data', take);
        child.stderr.setEncoding('utf8').on('data', take);
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

/** Compiles with warnings as errors. Throws what the compiler said. */
export async function compile(args) {
  const result = await run(compiler, [...strict, ...args]);
  if (result.code !== 0)
    throw new Error(`${compiler} ${args.join(' ')}\n${result.problem}\n${result.output}`);
  return result;
}

/** Whether the compiler finds a header. */
export async function hasHeader(header, scratch) {
  return builds(scratch, `#include <${header}>\n`, ['-fsyntax-only']);
}

/** Whether an empty program can be linked with these flags and runs. */
export async function canLink(flags, scratch) {
  const program = join(scratch, `empty${flags.join('')}`.replaceAll('/', ''));
  return (
    (await builds(scratch, 'int main() {}\n', [...flags, '-o', program])) &&
    (await run(program, [])).code === 0
  );
}

async function builds(scratch, text, args) {
  const source = join(await mkdtemp(join(scratch, 'probe-')), 'probe.cc');
  await writeFile(source, text);
  return (await run(compiler, ['-std=c++20', source, ...args])).code === 0;
}
