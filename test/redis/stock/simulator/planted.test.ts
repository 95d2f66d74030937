import { beforeAll, describe, expect, it } from 'vitest';
import { noRedis } from '../../servers.js';
import { faults } from './faults.js';
import { buildPlanted, simulate } from './planted-build.js';

const findings = Object.entries(faults).map(([name, { finds }]) => [name, finds] as const);
const timeout = 600_000;

describe.skipIf(noRedis)('The simulator of sales, of a build with planted faults', () => {
  beforeAll(buildPlanted, timeout);

  it('finds nothing while none of them is active', { timeout }, () => {
    const { status, stdout, stderr } = simulate(undefined, '--seeds', '1-8');
    expect({ status, last: stdout.trimEnd().split('\n').at(-1) }, stdout + stderr).toEqual({
      ...{ status: 0, last: 'sim:redis: 8 passed, 0 failed' },
    });
  });

  it.each(findings)('%s: finds that %s', { timeout }, (fault) => {
    const { status, stdout, stderr } = simulate(fault, '--seeds', '1-100');
    expect({ status, found: /Divergence|RedisStock\.audit:/.test(stdout) }, stdout + stderr).toEqual({
      ...{ status: 1, found: true },
    });
    console.log(`${fault}: ${stdout.split('\n').slice(0, 2).join(' ')}`);
  });
});
