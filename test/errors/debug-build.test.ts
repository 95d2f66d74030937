import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectEnded, run } from '../program.js';

const root = new URL('../../', import.meta.url);
/** Copies of the package: one with the release build in the place of the debug build, and one without a debug build. */
const packages = { with: '', without: '' };

beforeAll(() => {
  for (const name of ['with', 'without'] as const) {
    const copy = mkdtempSync(join(tmpdir(), 'sluice-debug-'));
    packages[name] = copy;
    for (const part of ['package.json', 'dist']) {
      cpSync(new URL(part, root), join(copy, part), { recursive: true });
    }
    const configuration = name === 'with' ? 'Debug' : 'Release';
    mkdirSync(join(copy, 'build', configuration), { recursive: true });
    cpSync(new URL('build/Release/sluice.node', root), join(copy, 'build', configuration, 'sluice.node'));
    const program = `process.env.SLUICE_BUILD = process.argv[2];
      await import('./dist/index.js');
      console.log('ok');`;
    writeFileSync(join(copy, 'program.mjs'), program);
  }
});
afterAll(() => {
  for (const copy of Object.values(packages)) rmSync(copy, { recursive: true, force: true });
});

const load = (copy: string, build: string) => run(pathToFileURL(join(copy, 'program.mjs')), [build]);

it('SLUICE_BUILD=debug loads the debug build', async () => {
  expectEnded(await load(packages.with, 'debug'), 0);
  expect((await load(packages.with, '')).stderr).toContain('ERR_SLUICE_LOAD');
});

it('SLUICE_BUILD=debug loads no other build, and says how to make one', async () => {
  expectEnded(await load(packages.without, ''), 0);
  const { code, stderr } = await load(packages.without, 'debug');
  expect(code).toBe(1);
  expect(stderr).toContain('ERR_SLUICE_LOAD');
  expect(stderr).toContain('build/Debug/sluice.node');
  expect(stderr).toContain('"npm run build:debug"');
});
