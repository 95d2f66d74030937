// A checkout with a small lib/ and an addon that no program loads. The tests edit it and run a single test file in it.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const checkout = mkdtempSync(join(tmpdir(), 'sluice-fresh-'));
const inCheckout = (file: string) => join(checkout, file);

const parts = [
  ...[
    'package.json',
    'package-lock.json',
    'scripts/build-lib.js',
    'scripts/digest.js',
    'scripts/native-build.js',
    'scripts/packages.js',
  ],
  ...['test/fresh-builds.ts', 'tsconfig.json', 'vitest.config.ts'],
];

/** Runs what a developer types: `npx vitest run test/edit.test.ts`. */
function runOneTest(): { status: number | null; output: string } {
  const vitest = inCheckout('node_modules/vitest/vitest.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', 'test/edit.test.ts'], {
    cwd: checkout,
    encoding: 'utf8',
    timeout: 50_000,
    killSignal: 'SIGKILL',
    env: { ...process.env, NO_COLOR: '1', SLUICE_BUILD: '' },
  });
  return { status, output: stdout + stderr };
}

/** Writes the test so that it expects `edit` of sluice to be `value`. */
function expectInTest(value: string): void {
  const text = `import * as sluice from 'sluice';
import { expect, it } from 'vitest';
it('sees the edit', () => expect(sluice).toHaveProperty('edit', ${JSON.stringify(value)}));\n`;
  writeFileSync(inCheckout('test/edit.test.ts'), text);
}

function edit(value: string): void {
  const file = inCheckout('lib/index.ts');
  const text = readFileSync(file, 'utf8').replace(/^export const edit.*\n/m, '');
  writeFileSync(file, `${text}export const edit: string = '${value}';\n`);
}

vi.setConfig({ testTimeout: 240_000 }); // each step runs vitest and tsc

/** Writes a file, and the directories above it. */
function write(file: string, text: string): void {
  mkdirSync(dirname(inCheckout(file)), { recursive: true });
  writeFileSync(inCheckout(file), text);
}

beforeAll(() => {
  for (const part of parts) cpSync(root + part, inCheckout(part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), inCheckout('node_modules'));
  write('lib/index.ts', '');
  write('binding.gyp', '{}\n');
  write('native/core/queue/ring.h', '#pragma once\n');
  write('build/Release/sluice.node', 'an addon\n');
  spawnSync(process.execPath, [inCheckout('scripts/native-build.js'), 'Release']); // as the script build:native does
});
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

it('a test that runs straight after an edit of lib/ tests the edit, each time', () => {
  edit('one');
  expectInTest('one');
  write('lib/passing.ts', 'export {};\n');
  const first = runOneTest();
  expect(first.status, first.output).toBe(0);
  expect(existsSync(inCheckout('dist/passing.js'))).toBe(true);

  edit('two');
  expectInTest('two');
  rmSync(inCheckout('lib/passing.ts'));
  const second = runOneTest();
  expect(second.status, second.output).toBe(0);
  expect(existsSync(inCheckout('dist/passing.js')), 'what lib/ has no more').toBe(false);
});

it('dist/ that was changed by hand is compiled again', () => {
  appendFileSync(inCheckout('dist/index.js'), 'throw new Error("by hand");\n');
  const { status, output } = runOneTest();
  expect(status, output).toBe(0);
});

it('lib/ that does not compile ends the run; dist/ stays as it was', () => {
  edit('three');
  appendFileSync(inCheckout('lib/index.ts'), 'export const wrong: number = "text";\n');
  const { status, output } = runOneTest();
  expect(status).toBe(1);
  expect(output).toContain("Type 'string' is not assignable to type 'number'");
  expect(output).toContain('lib/ does not compile');
  expect(readFileSync(inCheckout('dist/index.js'), 'utf8')).toContain('edit = "two"');
  writeFileSync(
    inCheckout('lib/index.ts'),
    readFileSync(inCheckout('lib/index.ts'), 'utf8').replace(/.*wrong.*\n/, ''),
  );
});

it('a build that runs beside a test removes no file of dist/, and leaves none half-written', async () => {
  edit('four');
  const build = spawn(process.execPath, [inCheckout('scripts/build-lib.js')], { cwd: checkout });
  const ended = once(build, 'exit');
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  while (!hasEnded) {
    expect(readFileSync(inCheckout('dist/index.js'), 'utf8')).toMatch(/^exports\.edit = edit;\s*$/m);
    await turn();
  }
  expect(await ended).toEqual([0, null]);
  expect(readFileSync(inCheckout('dist/index.js'), 'utf8')).toContain('edit = "four"');
});

it('an addon that is older than its sources ends the run, with what to do', () => {
  expectInTest('four');
  const header = inCheckout('native/core/queue/ring.h');
  const later = new Date(Date.now() + 60_000);
  utimesSync(header, later, later);
  const touched = runOneTest();
  expect(touched.status, touched.output).toBe(0); // the header's text is still the one from which the addon was built

  appendFileSync(header, '// an edit\n');
  utimesSync(header, later, later);
  const { status, output } = runOneTest();
  expect(status).toBe(1);
  expect(output).toContain('build/Release/sluice.node is older than native/core/queue/ring.h');
  expect(output).toContain('What to do: npm run build:native');
  expect(output).not.toContain('sees the edit');

  utimesSync(inCheckout('build/Release/sluice.node'), later, later); // a build leaves the addon newer than its sources
  const built = runOneTest();
  expect(built.status, built.output).toBe(0);

  rmSync(inCheckout('build/Release/sluice.node'));
  expect(runOneTest().output).toContain('There is no build/Release/sluice.node.');
});
