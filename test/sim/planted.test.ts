import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildPlanted, hasCompiler, simulate } from './planted-build.js';
import type { Trace } from './simulation.js';

/** Each is `SLUICE_PLANTED(...)` somewhere in native/, but for kLastLineCounts: see planted-build.ts. */
const faults = {
  kSkipRefund: 'a refusal by the window leaves the bucket charged',
  kKeepEarlierWindows: 'a refusal by a later window leaves the earlier ones charged',
  kRefundOthers: 'what is given back late is what others were charged',
  kShortWindow: 'a window forgets a bucket too early',
  kWholeWindow: 'retryAfterMs is the whole window',
  kKeepAdmissionCharge: 'the gate does not refund the limiter when the stock refuses',
  kReleaseTwice: 'an order that the queue drops leaves the limiter twice',
  kKeepOverwritten: 'an order that another one overwrites keeps its hold',
  kKeepDropped: 'an order that is dropped past the gate keeps its hold and its place',
  kForgetInHand: 'what a dead consumer of the gate had in hand is not handed out again',
  kPublishBeforeCopy: 'a record is published before it is copied',
  kOneTooMany: 'the capacity is off by one',
  kOvertake: 'a push overtakes those who wait for room',
  kKeepPermits: 'the permits of an object that is disposed of do not return',
  kExpireLate: 'a record is handed out at its very deadline',
  kDropTooEarly: 'drop-oldest drops one too many',
  kStarveLanes: 'lanes do not get their share',
  kExpireEarly: 'a reservation expires a nanosecond early',
  kSkipLook: 'a refusal does not look at holds that are over',
  kSameGeneration: 'a place is used again without a new generation',
  kShorterHold: 'an extension can shorten a hold',
  kKeepUserCount: 'an expired reservation still counts for its user',
  kKeepCartUsers: 'a cart that fails still counts for its user',
  kLosePart: 'the rest of a partly confirmed reservation is lost',
  kForgetFailure: 'an id that failed can succeed later',
  kForgetIds: 'a snapshot has no ids',
  kReturnAgain: 'units that were returned can be returned again by their reservation',
  kKeepReturned: 'units that were returned still count for their user',
  kKeepChanged: 'what a change puts back on sale is still held as well',
  kRequeueAgain: 'an order of a restored ledger is queued again each time it is asked for',
  kOverwriteTwo: 'a push to a full lane that overwrites drops two',
  kGroupForgets: 'the limit of a group looks at the new units alone',
  kWithdrawBackorder: 'a withdrawal takes units that can only be backordered',
  kLastLineCounts: 'the lines of a cart are not added up',
};

const bounds = ['--seeds', '1-200', '--steps', '300'];

describe.skipIf(!hasCompiler())('The simulator, of a build with planted faults', () => {
  beforeAll(buildPlanted, 900_000);

  it('finds nothing while none of them is awake', { timeout: 300_000 }, () => {
    const { status, stdout, stderr } = simulate(undefined, ...bounds);
    expect({ status, last: lastLine(stdout) }, stdout + stderr).toEqual({
      status: 0,
      last: 'sim: 200 passed, 0 failed, 0 skipped',
    });
  });

  it.each(Object.entries(faults))('%s: finds that %s', { timeout: 300_000 }, (fault) => {
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
