// The benchmark command: a short run, of which the test checks only that there are figures, not how good they are; and
// options and commands that are refused.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const command = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'sluice-bench-'));

afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function sluice(...args: string[]) {
  return sluiceWith(process.env, ...args);
}

function sluiceWith(env: NodeJS.ProcessEnv, ...args: string[]) {
  return spawnSync(process.execPath, [command, ...args], { encoding: 'utf8', timeout: 280_000, env });
}

test('a quick run measures every subject, judges every bar and writes the page', { timeout: 290_000 }, () => {
  const html = join(temporary, 'report.html');
  const { status, stdout, stderr } = sluice(
    'bench',
    ...['--quick', '--no-guard', '--json', '--only', 'call-cost,wake-up', '--html', html],
  );
  expect(status, stderr).toBe(0);
  const report = JSON.parse(stdout);
  expect(report.failures).toEqual([]);
  expect(report.run).toMatchObject({ rounds: 1, quick: true });
  expect(report.groups.map(({ name }: { name: string }) => name)).toEqual(['call-cost', 'wake-up']);
  for (const { figures, bars } of report.groups) {
    for (const { id, subjects } of figures) {
      expect(subjects.length, id).toBeGreaterThanOrEqual(3);
      for (const { subject, samples } of subjects) {
        expect(samples, `${id} of ${subject}`).toHaveLength(1);
        expect(samples[0]).toBeGreaterThan(0);
      }
    }
    for (const bar of bars) expect(['met', 'missed', 'reported']).toContain(bar.outcome);
  }
  expect(stderr).toContain('1/1  call-cost, one at a time: sluice ');
  expect(readFileSync(html, 'utf8')).toContain('sluice batcher()');
});

test('a group that does not exist is refused, and those that do are named', () => {
  const { status, stderr } = sluice('bench', '--only', 'everything');
  expect(status).toBe(2);
  expect(stderr).toContain('no group everything; there are call-cost, throughput');
});

test.each([
  [['--only', ''], 'no group'],
  [['--only', 'latency,'], 'no group'],
  [['--html', join(temporary, 'none', 'report.html')], '--html: there is no directory'],
])('%j is refused before anything is measured', (options, message) => {
  const { status, stderr } = sluice('bench', ...options);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});

test('a checkout without a compiler has all groups', () => {
  const { status, stdout, stderr } = sluiceWith(
    { ...process.env, CXX: 'no-such-compiler' },
    'bench',
    '--list',
  );
  expect(status, stderr).toBe(0);
  expect(stdout).toBe(sluice('bench', '--list').stdout);
});

test('a command that does not exist is answered with the usage', () => {
  const { status, stdout, stderr } = sluice('bnech');
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain('unknown command "bnech"');
  expect(stderr).toContain('Usage: sluice <command>');
});
