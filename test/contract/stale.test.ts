import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const generated = 'lib/binding/contract.ts';
const limits = 'native/contract/limits.h';

/** The path of a copy of the files that `npm run build:lib` needs. */
let copy = '';
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'sluice-contract-'));
  for (const part of ['package.json', 'package-lock.json', 'tsconfig.json', 'lib', 'native', 'scripts']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});
afterEach(() => rmSync(copy, { recursive: true, force: true }));

function npm(script: string, env = process.env): SpawnSyncReturns<string> {
  // One run takes seconds where nothing else runs, and much longer on a busy machine.
  return spawnSync('npm', ['run', script], { cwd: copy, env, encoding: 'utf8', timeout: 120_000 });
}
function replace(file: string, from: string, to: string): void {
  const text = readFileSync(join(copy, file), 'utf8');
  expect(text).toContain(from);
  writeFileSync(join(copy, file), text.replace(from, to));
}
function expectStale(): void {
  const { status, stderr } = npm('build:lib');
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining('lib/binding/contract.ts is stale'),
  });
  expect(stderr).toContain('npm run contract');
  expect(existsSync(join(copy, 'dist'))).toBe(false);
}

describe('the generated side of the contract', { timeout: 480_000 }, () => {
  it('stops the build if it was edited, and no longer once it is printed again', () => {
    replace(generated, 'weight: 1000,', 'weight: 1001,');
    expectStale();
    expect(npm('contract').status).toBe(0);
    expect(readFileSync(join(copy, generated), 'utf8')).toBe(readFileSync(join(root, generated), 'utf8'));
    // A build does not compile the contract if nothing has changed since the last check. After a change it must check
    // again.
    replace(generated, 'weight: 1000,', 'weight: 1001,');
    expectStale();
  });

  it('stops the build if a number of C++ has changed', () => {
    replace(limits, "kWeightMax = 1'000", "kWeightMax = 1'001");
    expectStale();
    replace('native/core/queue/room_waiters.h', 'kLanesMax = 8', 'kLanesMax = 9');
    expectStale();
  });

  it('is not printed if a value of an enumeration has no word', () => {
    replace('native/core/queue/queue_shape.h', 'kOverwrite = 3', 'kOverwrite = 3, kSpill = 4');
    const { status, stderr } = npm('contract');
    expect(status).toBe(1);
    expect(stderr).toContain('kSpill');
  });

  it('is taken as it is if there is no compiler', () => {
    const { status, stdout } = npm('build:lib', { ...process.env, CXX: join(copy, 'no-compiler') });
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('not checked') });
    expect(existsSync(join(copy, 'dist/index.js'))).toBe(true);
  });
});
