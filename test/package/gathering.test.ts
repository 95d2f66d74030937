// Binaries are gathered in build/prebuilds, for any platform and at any time. `npm pack` takes those that were made
// from the current sources, and removes none. These tests run in a copy of what packing needs, with texts for binaries.

import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'sluice-gathering-'));
const copy = join(temporary, 'sluice');

function run(program: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, args, { cwd: copy, encoding: 'utf8', timeout: 60_000 });
}

/** Runs code that has what scripts/prebuilds.js and scripts/native-build.js export. */
function script(code: string): string {
  const imports =
    "import * as prebuilds from './scripts/prebuilds.js'; import { noteBuild } from './scripts/native-build.js';";
  const { status, stdout, stderr } = run(
    process.execPath,
    '--input-type=module',
    '-e',
    `${imports}\n${code}`,
  );
  expect(status, stderr).toBe(0);
  return stdout;
}

function gather(file: string): void {
  const place = join(copy, 'build', 'prebuilds', file);
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, `the binary ${file}`);
  script(`noteBuild(${JSON.stringify(`build/prebuilds/${file}`)})`);
}

function packed(): { binaries: string[]; stderr: string } {
  const { status, stdout, stderr } = run('npm', 'pack', '--json', '--pack-destination', temporary);
  expect(status, stderr).toBe(0);
  const [{ files }] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
  const paths: string[] = files.map(({ path }: { path: string }) => path);
  return { binaries: paths.filter((path) => path.startsWith('prebuilds/')).sort(), stderr };
}

const own = (): string => script('console.log(prebuilds.ownTarget().file)').trim();
const foreign = ['darwin-arm64/sluice.node', 'linux-arm64/sluice.musl.node'];
let expected: string[];

beforeAll(() => {
  mkdirSync(copy);
  for (const path of ['scripts', 'native', 'binding.gyp', 'README.md', 'LICENSE', 'CHANGELOG.md']) {
    cpSync(join(repository, path), join(copy, path), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(copy, 'node_modules'));
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  // What `prepare` builds is not part of this test.
  const { prepare, ...scripts } = manifest.scripts;
  expect(prepare).toBeDefined();
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...manifest, scripts }));
  for (const file of [own(), ...foreign]) gather(file);
  expected = [own(), ...foreign].map((file) => `prebuilds/${file}`).sort();
});

afterAll(() => {
  rmSync(temporary, { recursive: true, force: true });
});

test('packing twice takes the binaries of other platforms twice, and leaves them where they were gathered', () => {
  expect(packed().binaries).toEqual(expected);
  expect(packed().binaries).toEqual(expected);
  for (const file of foreign) expect(existsSync(join(copy, 'build', 'prebuilds', file))).toBe(true);
});

test('no binary is left where a checkout would load it', () => {
  mkdirSync(join(copy, 'prebuilds', 'left-behind'), { recursive: true });
  packed();
  expect(existsSync(join(copy, 'prebuilds'))).toBe(false);
});

test('a binary that is not the one that was made from these sources stays out of the tarball, with a word', () => {
  appendFileSync(join(copy, 'build', 'prebuilds', 'darwin-arm64', 'sluice.node'), ' of yesterday');
  const { binaries, stderr } = packed();
  expect(binaries).toEqual(expected.filter((file) => !file.includes('darwin')));
  expect(stderr).toContain('The tarball lacks darwin-arm64');
  expect(existsSync(join(copy, 'build', 'prebuilds', 'darwin-arm64', 'sluice.node'))).toBe(true);
  gather('darwin-arm64/sluice.node');
});

test('publishing fails as long as a platform has no current binary, and names it', () => {
  const before = run(process.execPath, 'scripts/prebuild.js', '--complete');
  expect(before.status).not.toBe(0);
  expect(before.stderr).toContain('build/prebuilds/win32-x64/sluice.node is missing');
  const files: string[] = JSON.parse(
    script('console.log(JSON.stringify(prebuilds.targets.map(({ file }) => file)))'),
  );
  expect(files).toHaveLength(8);
  for (const file of files) gather(file);
  expect(run(process.execPath, 'scripts/prebuild.js', '--complete').status).toBe(0);
  appendFileSync(join(copy, 'native', 'platform', 'bell.cc'), '// changed\n');
  const after = run(process.execPath, 'scripts/prebuild.js', '--complete');
  expect(after.status).not.toBe(0);
  expect(after.stderr.match(/is stale/g)).toHaveLength(8);
});

test('a target without a name in the list is refused, with the list', () => {
  const { status, stderr } = run(process.execPath, 'scripts/prebuild.js', '--target', 'linux-mips');
  expect(status).not.toBe(0);
  expect(stderr).toContain('There is no target linux-mips, only linux-x64-glibc, linux-x64-musl');
});
