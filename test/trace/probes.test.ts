import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Probe, probesOf } from '../../lib/trace/notes.js';
import { native, system } from '../core/compiler.js';

const addon = fileURLToPath(new URL('../../build/Release/sluice.node', import.meta.url));
const source = fileURLToPath(new URL('programs/push-and-pop.cc', import.meta.url));

/** The probes, with the number of their arguments: see native/core/base/probe.h. */
const documented = {
  push: 2,
  pop: 2,
  drop: 3,
  full: 2,
  park: 1,
  wake: 1,
  ring: 1,
  admit: 4,
  hand: 4,
  settle: 4,
};

const hasProbes = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-probes-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ran(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  expect({ status, error }, stderr).toEqual({ status: 0, error: undefined });
  return stdout + stderr;
}
function has(command: string): boolean {
  return spawnSync(command, ['--version']).status === 0;
}
function argumentsOf(probes: readonly Probe[]): Record<string, number> {
  return Object.fromEntries(probes.map(({ name, args }) => [name, args.split(' ').length]));
}
function compiled(compiler: string, name: string, flags: readonly string[] = []): string {
  const output = join(folder, name);
  const [command = compiler, ...more] = compiler.split(' ');
  ran(command, [
    ...more,
    '-std=c++20',
    '-O2',
    '-DNDEBUG',
    ...flags,
    `-I${native}`,
    source,
    system,
    '-o',
    output,
  ]);
  return output;
}

describe.runIf(hasProbes)('the addon', () => {
  it('has all probes that are documented, each with the documented number of arguments', () => {
    expect(argumentsOf(probesOf(addon))).toEqual(documented);
    const header = readFileSync(join(native, 'core/base/probe.h'), 'utf8');
    const rows = [...header.matchAll(/^\/\/ \| (\w+) +\| (\w+(?:, \w+)*) +\|/gm)].slice(1);
    expect(Object.fromEntries(rows.map(([, name, args]) => [name, args?.split(', ').length]))).toEqual(
      documented,
    );
  });

  it('has its arguments in registers, or as constants', () => {
    for (const { name, args } of probesOf(addon))
      expect(args, name).toMatch(/^8@(%\w+|\$?-?\d+|x\d+)( 8@(%\w+|\$?-?\d+|x\d+))*$/);
  });

  it.runIf(has('strip'))('keeps them when it is stripped, as for the package', () => {
    const stripped = join(folder, 'stripped.node');
    ran('strip', ['--strip-all', addon, '-o', stripped]);
    expect(probesOf(stripped)).toEqual(probesOf(addon));
  });
});

describe.runIf(hasProbes)('a program', () => {
  const compilers = ['g++', 'clang++-14', 'aarch64-linux-gnu-g++'];
  it.each(compilers.filter(has))('that %s compiles has the probes of a queue', (compiler) => {
    const { push, pop, park } = argumentsOf(probesOf(compiled(compiler, 'with')));
    expect({ push, pop, park }).toEqual({ push: 2, pop: 2, park: undefined });
  });

  it('that is compiled without them has none', () => {
    expect(probesOf(compiled(process.env['CXX'] ?? 'g++', 'without', ['-DSLUICE_NO_PROBES']))).toEqual([]);
  });

  it.runIf(has('valgrind'))('takes at most 6 % more instructions for a push and a pop of 64 bytes', () => {
    const instructions = (program: string): number => {
      const [few, many] = [20_000, 40_000].map((records) => {
        const tool = ['--tool=callgrind', '--callgrind-out-file=/dev/null'];
        const counted = ran('valgrind', [...tool, program, '64', `${records}`]);
        return Number(/Collected : (\d+)/.exec(counted)?.[1]);
      }) as [number, number];
      return (many - few) / 20_000;
    };
    const compiler = process.env['CXX'] ?? 'g++';
    const without = instructions(compiled(compiler, 'bare', ['-DSLUICE_NO_PROBES']));
    const ratio = instructions(compiled(compiler, 'probed')) / without;
    expect(without).toBeGreaterThan(50);
    expect(ratio).toBeGreaterThan(1); // the probes are there
    expect(ratio).toBeLessThanOrEqual(1.06);
  });
});

describe('probesOf', () => {
  const written = (content: Uint8Array | string): string => {
    const file = join(folder, 'file');
    writeFileSync(file, content);
    return file;
  };

  it('finds nothing in a file of another kind', () => {
    expect(probesOf(written(''))).toEqual([]);
    expect(probesOf(written('#!/bin/sh\n'))).toEqual([]);
    expect(probesOf(written(Buffer.from('7f454c460201', 'hex')))).toEqual([]);
  });

  it.runIf(hasProbes)('ends at the end of a file that was cut, and at sizes that are wrong', () => {
    const whole = readFileSync(addon);
    for (let share = 0.05; share < 1; share += 0.05) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      expect(probesOf(written(cut)).length).toBeLessThanOrEqual(probesOf(addon).length);
    }
    const table = Number(whole.readBigUInt64LE(0x28));
    for (let at = 0; at < 64 * whole.readUInt16LE(0x3c); at += 4) {
      const wrong = Buffer.from(whole);
      wrong.writeUInt32LE(0xffff_fff0, table + at);
      expect(() => probesOf(written(wrong))).not.toThrow();
    }
  });

  it('throws what the file system says', () => {
    expect(() => probesOf(join(folder, 'nothing'))).toThrow('ENOENT');
  });
});
