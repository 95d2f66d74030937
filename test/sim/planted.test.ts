import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { faults } from './faults.js';
import { buildPlanted, evaluate, hasCompiler, simulate } from './planted-build.js';
import type { Trace } from './simulation.js';

const findings = Object.entries(faults).map(([name, { finds }]) => [name, finds] as const);
/**
 * Reserves two units, gives one of them up, and lets the hold of the other run out. Prints the audit after each of the
 * last two steps, up to one that fails.
 */
const audits = `
  import { ManualClock, Stock } from './dist/index.js';
  const audit = () => {
    try {
      console.log(JSON.stringify(stock.audit()));
    } catch ({ code, message }) {
      console.log(code, message);
      process.exit();
    }
  };
  const clock = new ManualClock();
  const stock = Stock.create({ items: [{ sku: 7, quantity: 5, perUser: 2 }], holdMs: 10, clock });
  const { reservation } = stock.reserve({ sku: 7, quantity: 2, user: 42 });
  stock.change(reservation, { lines: [{ sku: 7, quantity: 1 }] });
  audit();
  clock.advance(20);
  stock.expire();
  audit();
`;
const mismatch = 'ERR_SLUICE_AUDIT Stock.audit: sku 7: total 5,';
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

  it.each([
    [undefined, '{"items":1,"held":1}', '{"items":1,"held":0}'],
    [
      'kKeepChanged',
      `${mismatch} available 4, reserved 1, sold 0, but its reservations hold 2 and its users 1`,
    ],
    [
      'kKeepUserCount',
      '{"items":1,"held":1}',
      `${mismatch} available 5, reserved 0, sold 0, but its reservations hold 0 and its users 1`,
    ],
  ])('%s: stock.audit() reports the item and the counts that do not add up', (fault, ...expected) => {
    const { status, stdout, stderr } = evaluate(fault, audits);
    expect({ status, lines: stdout.trimEnd().split('\n') }, stderr).toEqual({ status: 0, lines: expected });
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
