import { setTimeout as delay } from 'node:timers/promises';
import { Limiter } from 'sluice';
import { describe, expect, it } from 'vitest';

describe('the adaptive tier', () => {
  it('refuses while the event loop is late, says so, and allows again when it is not', async () => {
    const limiter = Limiter.create({
      queueDepth: { max: 1_000_000 },
      adaptive: { maxEventLoopDelayMs: 50, intervalMs: 20 },
    });
    const asOf = async (allowed: boolean, work: () => void): Promise<void> => {
      while (limiter.tryAcquire().allowed !== allowed) {
        work();
        await delay(1);
      }
    };
    await asOf(true, () => {});
    await asOf(false, () => {
      const end = process.hrtime.bigint() + 300_000_000n;
      while (process.hrtime.bigint() < end);
    });
    expect(limiter.tryAcquire()).toMatchObject({ allowed: false, tier: 'adaptive' });
    expect(limiter.peek()).toMatchObject({ allowed: false, tier: 'adaptive' });
    await asOf(true, () => {});
    expect(limiter.stats().refused.adaptive).toBeGreaterThan(0);
    limiter[Symbol.dispose]();
  });
});
