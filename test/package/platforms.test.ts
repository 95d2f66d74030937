// The binaries of other platforms, each in a Node.js (or Bun) of its platform: arm64 by qemu, Windows by Wine, musl by
// its own loader. SLUICE_RUNTIMES is a directory of these runtimes, which .ci/run makes from packages of npm.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'sluice-platforms-'));
const project = join(temporary, 'project');
const runtimes = process.env['SLUICE_RUNTIMES'] ?? '';

const wine = '/usr/lib/wine/wine64';
const wineServer = '/usr/lib/wine/wineserver';
const winePrefix = join(temporary, 'wine');
const wineVariables = {
  WINEPREFIX: winePrefix,
  WINEDEBUG: '-all',
  NODE_SKIP_PLATFORM_CHECK: '1', // Wine says that it is Windows 7
};

interface Platform {
  /** The file below the directory of runtimes. */
  readonly runtime: string;
  readonly binary: string;
  /** The program that runs the runtime, and its arguments. */
  readonly by: readonly string[];
  readonly variables?: Record<string, string>;
}

const arm64: Platform = {
  runtime: 'linux-arm64-glibc/package/bin/node',
  binary: 'linux-arm64/sluice.glibc.node',
  by: ['/usr/bin/qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'],
};
const windows: Platform = {
  runtime: 'win32-x64/package/bin/node.exe',
  binary: 'win32-x64/sluice.node',
  by: [wine],
  variables: wineVariables,
};
const muslLibraries = join(temporary, 'musl');
const musl: Platform = {
  runtime: 'linux-x64-musl/package/bin/bun',
  binary: 'linux-x64/sluice.musl.node',
  by: [join(muslLibraries, 'ld-musl-x86_64.so.1')],
  variables: { LD_LIBRARY_PATH: muslLibraries },
};

beforeAll(() => {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', temporary], { cwd: repository });
  const tarball = readdirSync(temporary).find((file) => file.endsWith('.tgz')) ?? '';
  mkdirSync(join(project, 'node_modules'), { recursive: true });
  execFileSync('tar', ['-xzf', join(temporary, tarball), '-C', join(project, 'node_modules')]);
  cpSync(join(project, 'node_modules', 'package'), join(project, 'node_modules', 'sluice'), {
    recursive: true,
  });
  cpSync(fileURLToPath(new URL('consumer', import.meta.url)), project, { recursive: true });
}, 900_000);

afterAll(() => {
  // Ends the server that Wine has started for this prefix.
  if (existsSync(winePrefix)) spawnSync(wineServer, ['-k'], { env: { ...process.env, ...wineVariables } });
  rmSync(temporary, { recursive: true, force: true });
});

/** Runs the sale on a platform, whose runtime is the file `host`. */
function sellOn({ skip }: TestContext, platform: Platform, host = join(runtimes, platform.runtime)): void {
  const [program = '', ...options] = platform.by;
  const lacking = [program, host, join(project, 'node_modules', 'sluice', 'prebuilds', platform.binary)].find(
    (file) => !existsSync(file),
  );
  if (lacking !== undefined) {
    const reason = `there is no ${lacking} (.ci/run makes it)`;
    console.warn(`skipped: ${reason}`);
    skip(reason);
  }
  // Files, because a Node.js under Wine cannot open the sockets that spawnSync() uses for pipes.
  const names = ['stdout', 'stderr'].map((name) => join(temporary, name));
  const files = names.map((name) => openSync(name, 'w'));
  const { status, signal } = spawnSync(program, [...options, host, 'sale.mjs'], {
    cwd: project,
    env: { ...process.env, ...platform.variables },
    stdio: ['ignore', ...files],
    timeout: 240_000,
  });
  for (const file of files) closeSync(file);
  const [stdout = '', stderr = ''] = names.map((name) => readFileSync(name, 'utf8'));
  expect({ status, signal, stderr: status === 0 ? '' : stderr }).toEqual({
    status: 0,
    signal: null,
    stderr: '',
  });
  expect(JSON.parse(stdout)).toEqual({
    outcomes: ['admitted', 'admitted', 'admitted', 'sold-out', 'sold-out'],
    charged: [1, 2, 3],
    counts: { total: 3, available: 0, reserved: 0, sold: 3 },
  });
}

test('linux-arm64 with glibc: a worker charges what the main thread has sold', {
  timeout: 250_000,
}, (context) => {
  sellOn(context, arm64);
});

test('win32-x64: a worker charges what the main thread has sold', { timeout: 250_000 }, (context) => {
  sellOn(context, windows);
});

test('win32-x64: the program with Node.js in it may have any name', { timeout: 250_000 }, (context) => {
  const host = join(project, 'shop.exe');
  const node = join(runtimes, windows.runtime);
  if (existsSync(node)) copyFileSync(node, host);
  sellOn(context, windows, host);
});

test('linux-x64 with musl: a worker charges what the main thread has sold', {
  timeout: 250_000,
}, (context) => {
  mkdirSync(muslLibraries);
  // On Debian this name is a link. The library tells musl by the name of the file that the process has mapped.
  const loader = '/lib/ld-musl-x86_64.so.1';
  if (existsSync(loader)) copyFileSync(loader, join(muslLibraries, 'ld-musl-x86_64.so.1'));
  for (const name of ['libstdc++.so.6', 'libgcc_s.so.1']) {
    const [place = ''] = execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).split('\n');
    if (existsSync(place)) copyFileSync(place, join(muslLibraries, name));
  }
  const source = fileURLToPath(new URL('musl-host.c', import.meta.url));
  const host = join(muslLibraries, 'ld-linux-x86-64.so.2');
  execFileSync('gcc', ['-shared', '-nostdlib', '-fPIC', '-fno-builtin', '-w', '-o', host, source]);
  sellOn(context, musl);
});
