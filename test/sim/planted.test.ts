import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { faults } from './faults.js';
import { buildPlanted, hasCompiler, simulate } from './planted-build.js';
import type { Trace } from './simulation.js';

const findings = Object.entries(faults).map(([name, { finds }]) => [name, finds] as const);
const bounds = ['--seeds', '1-200', '--steps', '300'];

describe.skipIf(!hasCompiler())('The simulator, of a build with planted faults', () => {
  beforeAll(buildPlanted, 900_000);

  it('finds nothing while none of them is active', { timeout: 300_000 }, () => {
    const { status, stdout, stderr } = simulate(undefined, ...bounds);
    expect({ status, last: lastLine(stdout) }, stdout + stderr).toEqual({
      status: 0,
      last: 'sim: 200 passed, 0 failed, 0 skipped',
    });
  });

  it.each(findings)('%s: finds that %s', { timeout: 300_000 }, (fault) => {
    const { status, stdout, stderr } = simulate(fault, ...bounds);
    expect({ status, found: stdout.includes('Divergence') }, stdout + stderr).toEqual({
      status: 1,
      found: true,
    });
    console.log(`${fault}: ${/Seed .*:/.exec(stdout)?.[0]} ${/^.* are enough/m.exec(stdout)?.[0]}`);
  });

  it('shrinks what it finds to a trace that fails again, and only with the fault', {
    timeout: 300_000,
  }, () => {
    const { stdout } = simulate('kKeepUserCount', ...bounds);
    const file = /--trace (.*)$/m.exec(stdout)?.[1] ?? '';
    const { operations } = JSON.parse(readFileSync(file, 'utf8')) as Trace;
    expect(operations.length).toBeLessThanOrEqual(8);
    expect(simulate('kKeepUserCount', '--trace', file).status).toBe(1);
    expect(simulate(undefined, '--trace', file).status).toBe(0);
  });
});

function lastLine(text: string): string | undefined {
  return text.trimEnd().split('\n').at(-1);
}
