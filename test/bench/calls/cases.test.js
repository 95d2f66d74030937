import { describe, expect, it } from 'vitest';
import { loadCase, whyNotHere } from '../../../bench/harness/repository-only/caller.js';
import { whyNotInstalled } from '../../../bench/harness/repository-only/whether-installed.js';

/** Every file of cases: what is not asked correctly here must not be measured. */
const files = [
  'cases/repository-only/limiter/sluice-limiter.js',
  'cases/repository-only/gate/sluice-gate.js',
  'cases/repository-only/empty-call/empty-call.js',
  'rivals/limiters/bottleneck.js',
  'rivals/limiters/express-rate-limit.js',
  'rivals/gates/js-gate.js',
  'rivals/limiters/limiter.js',
  'rivals/limiters/rate-limiter-flexible.js',
  'rivals/gates/redis.js',
];

const cases = (
  await Promise.all(
    files.map(async (file) => {
      const missing = await whyNotInstalled(file);
      if (missing !== undefined) return [{ file, name: 'all of it', missing }];
      const { cases: found } = await import(new URL(`../../../bench/${file}`, import.meta.url).href);
      return Promise.all(
        Object.keys(found).map(async (name) => ({ file, name, missing: await whyNotHere({ file, name }) })),
      );
    }),
  )
).flat();

/** @param {import('../../../bench/harness/repository-only/caller.js').Caller} caller @param {number} turns */
async function take(caller, turns) {
  for (let i = 0; i < turns; i++) {
    await caller.turn();
    await caller.rest?.();
  }
  return caller.calls * turns;
}

describe.each(cases)('$file, $name', ({ file, name, missing }) => {
  it.skipIf(missing !== undefined)(
    'has the outcome it is named after in every call, and notices a call without it',
    async () => {
      const { share, open } = await loadCase({ file, name });
      const shared = await share?.();
      try {
        const caller = await open(shared?.data);
        const calls = await take(caller, 2);
        await caller.check(calls);
        await expect((async () => caller.check(calls + 1))()).rejects.toThrow(`${calls + 1} calls`);
        await caller.close?.();
      } finally {
        await shared?.dispose();
      }
    },
  );
});
