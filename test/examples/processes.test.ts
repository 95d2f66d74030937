import { afterEach, expect, it } from 'vitest';
import { noRedis } from '../redis/servers.js';
import { Example } from './run-example.js';

let example: Example | undefined;
afterEach(async () => {
  example?.kill('SIGKILL');
  await example?.finished;
});

async function reportOf(...args: string[]) {
  example = new Example(['--processes', '3', '--redis', 'spawn', '--json', ...args]);
  const { code, stdout, stderr } = await example.finished;
  const report = JSON.parse(stdout || '{}');
  expect(report.problems, stderr).toEqual([]);
  const failing = Object.entries(report.verdicts as Record<string, { holds: boolean }>).filter(
    ([, one]) => !one.holds,
  );
  expect({ code, failing }).toEqual({ code: 0, failing: [] });
  return report;
}

it.skipIf(noRedis)('sells one stock from several processes, each unit once', async () => {
  const { items, requests, verdicts } = await reportOf('--requests', '8000', '--users', '4000');
  for (const { offered, sold, left } of items) expect(sold + left).toBe(offered);
  expect(requests.answered).toBe(8_000);
  expect(requests.byOutcome.admitted).toBeGreaterThan(300);
  expect(verdicts.noneLostWithWorkers.detail).toMatch(/^3 processes, 0 deaths/);
});

it.skipIf(noRedis)('goes on while its processes and the server are killed', async () => {
  const { verdicts } = await reportOf('--requests', '30000', '--users', '8000', '--chaos');
  const [, deaths] = /^3 processes, (\d+) deaths/.exec(verdicts.noneLostWithWorkers.detail) ?? [];
  expect(Number(deaths)).toBeGreaterThan(0);
});

it.each([
  [['--processes', '2'], '--processes needs --redis'],
  [['--processes', '33', '--redis', 'spawn'], '--processes must be a whole number from 0 to 32'],
  [
    ['--processes', '2', '--redis', 'spawn', '--workers', '2'],
    '--processes and --workers do not go together',
  ],
  [['--processes', '2', '--redis', 'spawn', '--dashboard'], '--processes and --dashboard do not go together'],
])('refuses %j', async (args, message) => {
  example = new Example(args);
  const { code, stderr } = await example.finished;
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
});
