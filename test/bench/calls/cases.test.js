import { describe, expect, it } from 'vitest';
import * as emptyCall from '../../../bench/cases/repository-only/empty-call/empty-call.js';
import * as sluiceGate from '../../../bench/cases/repository-only/gate/sluice-gate.js';
import * as sluiceLimiter from '../../../bench/cases/repository-only/limiter/sluice-limiter.js';
import { loadCase } from '../../../bench/harness/repository-only/caller.js';
import { ifInstalled } from '../../../bench/harness/repository-only/if-installed.js';

/** Every module of cases. A case that does not ask correctly must not be measured. */
const modules = {
  'sluice-limiter': { module: sluiceLimiter },
  'sluice-gate': { module: sluiceGate },
  'empty-call': { module: emptyCall },
  bottleneck: await ifInstalled(() => import('../../../bench/rivals/limiters/bottleneck.js')),
  'express-rate-limit': await ifInstalled(
    () => import('../../../bench/rivals/limiters/express-rate-limit.js'),
  ),
  'js-gate': await ifInstalled(() => import('../../../bench/rivals/gates/js-gate.js')),
  limiter: await ifInstalled(() => import('../../../bench/rivals/limiters/limiter.js')),
  'rate-limiter-flexible': await ifInstalled(
    () => import('../../../bench/rivals/limiters/rate-limiter-flexible.js'),
  ),
  redis: await ifInstalled(() => import('../../../bench/rivals/gates/redis.js')),
};

const named = Object.entries(modules).flatMap(([title, found]) => {
  /** @type {import('../../../bench/cases/repository-only/calls/figure.js').Found} */
  const { module, missing } = found;
  if (module === undefined) return [{ title, file: '', name: 'all of it', missing }];
  const { file, cases } = module;
  return Object.entries(cases).map(([name, { unavailable }]) => {
    return { title, file, name, missing: unavailable?.() };
  });
});

/** @param {import('../../../bench/harness/repository-only/caller.js').Caller} caller @param {number} turns */
async function take(caller, turns) {
  for (let i = 0; i < turns; i++) {
    await caller.turn();
    await caller.rest?.();
  }
  return caller.calls * turns;
}

describe.each(named)('$title, $name', ({ file, name, missing }) => {
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
