import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodes, run } from '../program.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const text = readFileSync(join(root, 'docs/guide/testing.md'), 'utf8');
/** The programs of docs/guide/testing.md, by the name in the first line of each. The tests run them unchanged. */
const programs = new Map(
  [...text.matchAll(/^```js\n(\/\/ (\S+\.mjs)\n[\s\S]*?)^```$/gm)].map(
    ([, program, name]) => [name, program] as [string, string],
  ),
);
const moving = `
import { Limiter, ManualClock } from 'sluice';
import { expect, it, vi } from 'vitest';
import { pass } from './pass.mjs';

it('moves both', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const clock = new ManualClock();
  let fired = false;
  setTimeout(() => { fired = true; }, 1_000);
  pass(clock, 1_000);
  expect([fired, clock.now()]).toEqual([true, 1_000]);
});

it('is as the table says', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 20, burst: 1 } });
  limiter.allow();
  vi.advanceTimersByTime(3_600_000);
  vi.setSystemTime(Date.now() + 3_600_000);
  expect((await limiter.acquire({ timeoutMs: 1_000 })).allowed).toBe(true); // after 50 ms of real time
});
`;
const ticking = `
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Limiter } from 'sluice';

test('is as the table says', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 20, burst: 1 } });
  limiter.allow();
  mock.timers.tick(3_600_000);
  assert.equal((await limiter.acquire({ timeoutMs: 1_000 })).allowed, true); // after 50 ms of real time
});
`;

/** A reader's project: the files beside a node_modules with sluice and vitest. */
const project = mkdtempSync(join(tmpdir(), 'sluice-testing-'));
beforeAll(() => {
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules', 'sluice'));
  symlinkSync(join(root, 'node_modules', 'vitest'), join(project, 'node_modules', 'vitest'));
  for (const [name, program] of programs) writeFileSync(join(project, name), program);
  writeFileSync(join(project, 'moving.test.mjs'), moving);
  writeFileSync(join(project, 'ticking.node-test.mjs'), ticking);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe.each(nodes)('docs/guide/testing.md ($name)', ({ node }) => {
  it('shows no JavaScript but programs with a name', () => {
    expect([...programs.keys()]).toEqual([
      'service.mjs',
      'service.test.mjs',
      'service.node-test.mjs',
      'pass.mjs',
    ]);
    expect([...text.matchAll(/^```js/gm)]).toHaveLength(programs.size);
  });

  it('shows a test for vitest that passes, and says what fake timers change there', async () => {
    const vitest = pathToFileURL(join(root, 'node_modules', 'vitest', 'vitest.mjs'));
    const { code, stdout, stderr } = await run(vitest, ['run', '--root', project, '--reporter=json'], {
      node,
    });
    expect(code, stdout + stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ numPassedTests: 5, numTotalTests: 5 });
  });

  it.each(['service', 'ticking'])('shows what node:test does: %s', async (name) => {
    const program = pathToFileURL(join(project, `${name}.node-test.mjs`));
    const { code, stdout, stderr } = await run(program, [], { node, execArgv: ['--test'] });
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/^(#|ℹ) pass 1$/m);
  });
});
