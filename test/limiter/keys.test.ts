import { Worker } from 'node:worker_threads';
import { type Key, Limiter, ManualClock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, rejected, thrown } from '../thrown.js';

const bucket = (burst: number) => ({ tokenBucket: { ratePerSecond: 1, burst } });
/** Returns how many of `asks` calls are allowed. */
function allowed(limiter: Limiter, key: Key, asks: number): number {
  let count = 0;
  for (let i = 0; i < asks; i++) if (limiter.allow(key)) count++;
  return count;
}

describe('a limiter with keys', () => {
  it('limits each key by itself', () => {
    const limiter = Limiter.create({ ...bucket(3), keys: { max: 100 }, clock: new ManualClock() });
    for (const key of ['a', 'b', '']) expect(allowed(limiter, key, 5)).toBe(3);
  });

  it('counts again what had left an exact window that is made longer: for keys that kept their places', () => {
    const clock = new ManualClock();
    const slidingWindow = { limit: 5, windowMs: 10, exact: true };
    const limiter = Limiter.create({ slidingWindow, keys: { max: 1 }, clock });
    expect(allowed(limiter, 'kept', 2)).toBe(2);
    expect(allowed(limiter, 'forgotten', 2)).toBe(2);
    clock.advance(5);
    expect(allowed(limiter, 'kept', 1)).toBe(1);
    clock.advance(5);
    // The table has 16 places, of which 14 are free. The 15th newcomer takes the place of the key with the empty
    // window.
    for (let newcomer = 1; newcomer <= 15; newcomer++) expect(limiter.allow(newcomer)).toBe(true);
    limiter.configure({ slidingWindow: { windowMs: 1_000 } });
    expect(limiter.peek({ key: 'kept' }).remaining).toBe(2);
    expect(limiter.peek({ key: 'forgotten' }).remaining).toBe(5);
  });

  it('distinguishes strings, numbers and bigints, and takes equal keys for one', () => {
    const limiter = Limiter.create({ ...bucket(1), keys: { max: 100 }, clock: new ManualClock() });
    const keys: Key[] = [
      '1',
      1,
      1n,
      -1,
      -1n,
      1.5,
      2n ** 64n + 1n,
      2n ** 2_000n,
      2n ** 2_000n + 1n,
      -(2n ** 2_000n),
      2n ** 8_192n - 1n,
      -(2n ** 8_192n) + 1n,
      '\ud800',
      '\ud801',
      'é',
      Infinity,
      'x'.repeat(126),
    ];
    keys.push('x'.repeat(127), 'x'.repeat(128), `${'x'.repeat(1_023)}a`, `${'x'.repeat(1_023)}b`, 0);
    for (const key of keys) expect(limiter.allow(key)).toBe(true);
    for (const key of keys) expect(limiter.allow(key)).toBe(false);
    expect(limiter.allow(-0)).toBe(false);
    expect(limiter.stats().keys).toBe(keys.length);
  });

  it('needs a key, and one without keys takes none', () => {
    const keyed = Limiter.create({ ...bucket(1), keys: { max: 10 } });
    const global = Limiter.create(bucket(1));
    for (const key of [undefined, null, Number.NaN, {}, true, Symbol('key')]) {
      expectError(
        thrown(() => keyed.allow(key as Key)),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
    expect(thrown(() => keyed.tryAcquire()).message).toContain('Limiter.tryAcquire: key');
    expect(thrown(() => global.allow('key')).message).toContain('Limiter.allow: key');
    expect(global.allow()).toBe(true);
  });

  it('takes no key that is longer than 1,024 characters or 8,192 bits, and does not read it either', async () => {
    const limiter = Limiter.create({ ...bucket(1), queueDepth: { max: 1 }, keys: { max: 10 } });
    const calls: Record<string, (key: Key) => unknown> = {
      allow: (key) => limiter.allow(key),
      tryAcquire: (key) => limiter.tryAcquire({ key }),
      peek: (key) => limiter.peek({ key }),
      release: (key) => limiter.release(1, key),
      penalty: (key) => limiter.penalty(1, key),
      reward: (key) => limiter.reward(1, key),
      reset: (key) => limiter.reset(key),
      block: (key) => limiter.block(key, 1),
    };
    const huge = 'x'.repeat(128 * 2 ** 20); // V8 joins its parts only when it is read
    for (const [method, call] of Object.entries(calls)) {
      for (const [key, message] of [
        ['x'.repeat(1_025), `Limiter.${method}: key: its length: expected at most 1024 characters, got 1025`],
        [huge, `Limiter.${method}: key: its length: expected at most 1024 characters, got 134217728`],
        [2n ** 8_192n, `Limiter.${method}: key: expected a bigint of at most 8192 bits, got "a longer one"`],
        [
          -(2n ** 8_192n),
          `Limiter.${method}: key: expected a bigint of at most 8192 bits, got "a longer one"`,
        ],
      ] as const) {
        const error = thrown(() => call(key));
        expectError(error, 'ERR_SLUICE_OPTION', RangeError);
        expect(error.message).toBe(message);
      }
    }
    expectError(await rejected(limiter.acquire({ key: huge })), 'ERR_SLUICE_OPTION', RangeError);
    expect(limiter.stats().keys).toBe(0);
  });

  it('gives the depth of each key back once, whichever thread releases it', () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 10 } });
    const decision = limiter.tryAcquire({ key: 'a' });
    expect(limiter.tryAcquire({ key: 'a' })).toMatchObject({
      allowed: false,
      tier: 'queue-depth',
      retryAfterMs: 0,
    });
    expect(limiter.allow('b')).toBe(true);
    expect(limiter.stats().inFlight).toBe(2);
    if (decision.allowed) {
      decision.release();
      decision.release();
    }
    expect(limiter.stats().inFlight).toBe(1);
    expectError(
      thrown(() => limiter.release(1, 'a')),
      'ERR_SLUICE_RELEASE',
    );
    limiter.release(1, 'b');
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('refuses a blocked key, and no other, through a million fresh ones', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...bucket(5), keys: { max: 1_000 }, clock });
    limiter.block('blocked', 3_600_000);
    let refused = 0;
    for (let i = 0; i < 1_000_000; i++) {
      if (!limiter.allow(i)) refused++;
      if (i % 10_000 !== 0) continue;
      clock.advance(500);
      expect(limiter.allow('blocked')).toBe(false);
    }
    expect(refused).toBe(0);
    expect(limiter.stats()).toMatchObject({ refused: { blocked: 100 } });
    expect(limiter.stats().forgotten).toBeGreaterThan(0);
  });

  it.each([
    ['twice', 2, false],
    ['three times', 3, false],
    ['and keeps them charged', 5, true],
  ])('refuses no first request of 1,000 newcomers beside a flood that uses its keys %s', (_, uses, back) => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...bucket(5), keys: { max: 1_000 }, clock });
    const refused: number[] = [];
    let next = 0;
    for (let newcomer = 0; newcomer < 1_000; newcomer++) {
      for (let i = 0; i < 30; i++, next++) {
        for (let use = 0; use < uses; use++) limiter.allow(`flood ${next}`);
        if (back) limiter.allow(`flood ${next % 3_000}`);
      }
      clock.advance(1);
      if (!limiter.allow(`newcomer ${newcomer}`)) refused.push(newcomer);
    }
    expect(refused).toEqual([]);
    expect(limiter.stats().overflowed).toBeGreaterThan(0);
  });

  it('lets a key of a flood that fills the table pass its limit once more for each 500 newer guests, at most', () => {
    const limiter = Limiter.create({ ...bucket(5), keys: { max: 1_000 }, clock: new ManualClock() });
    for (let i = 0; i < 20_000; i++) limiter.allow(`flood ${i}`); // every place has a charge
    const before = limiter.stats();
    let passed = 0;
    for (let i = 0; i < 5_000; i++) {
      if (limiter.allow('abuser')) passed++;
      limiter.allow(`newer ${i}`);
    }
    expect(limiter.stats().overflowed - before.overflowed).toBe(10_000);
    expect(passed).toBeLessThanOrEqual(5 * (1 + 5_000 / 500));
    expect(passed).toBeGreaterThanOrEqual(5 * (5_000 / 502));
    expect(limiter.stats().keys).toBeLessThanOrEqual(2_000 + 512);
  });

  it('waits for the limit of a guest, or says at once that no further guest can wait', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ ...bucket(1), keys: { max: 1 }, clock });
    for (let i = 0; i < 16 + 64; i++) limiter.allow(i);
    const before = limiter.stats().forgotten;
    const waits = Array.from({ length: 16 + 64 }, (_, i) => limiter.acquire({ key: i }));
    expect(limiter.stats().waiting).toBe(16 + 60);
    for (let i = 100; i < 300; i++) expect(limiter.allow(i)).toBe(true);
    expect(limiter.stats().forgotten - before).toBe(200);
    clock.advance(1_000);
    const decisions = await Promise.all(waits);
    expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(16 + 60);
    expect(decisions.filter((one) => !one.allowed && one.tier === 'waiting-line')).toHaveLength(4);
  });

  it('allows exactly the limit of each key over four threads', async () => {
    const limiter = Limiter.create({ ...bucket(1_000), keys: { max: 100 }, clock: new ManualClock() });
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.sluice).then(({ Limiter }) => {
        const limiter = Limiter.attach(workerData.handle);
        const counts = new Array(20).fill(0);
        for (let i = 0; i < 20 * 600; i++) if (limiter.allow('key ' + (i % 20))) counts[i % 20]++;
        parentPort.postMessage(counts);
      });`;
    const sluice = new URL('../../dist/index.js', import.meta.url).href;
    const totals = new Array<number>(20).fill(0);
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        const worker = new Worker(code, { eval: true, workerData: { sluice, handle: limiter.handle } });
        const counts = await new Promise<number[]>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
        for (const [i, count] of counts.entries()) totals[i] = (totals[i] ?? 0) + count;
        await worker.terminate();
      }),
    );
    expect(totals).toEqual(new Array(20).fill(1_000));
  });

  it('allows four threads that ask for one key exactly its limit, and gets back what they hold', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 50_000 },
      slidingWindow: { limit: 60_000, windowMs: 1_000 },
      queueDepth: { max: 3 },
      keys: { max: 100 },
      clock: new ManualClock(),
    });
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.sluice).then(({ Limiter }) => {
        const limiter = Limiter.attach(workerData.handle);
        let allowed = 0, most = 0;
        for (let i = 0; ; i++) {
          const decision = limiter.tryAcquire({ key: 'the one' });
          if (decision.tier === 'token-bucket') break; // nothing is left
          if (!decision.allowed) continue;
          allowed++;
          if (i % 1_000 === 0) most = Math.max(most, limiter.stats().inFlight);
          if (i % 7 !== 0) decision.release();
          else limiter.release(1, 'the one');
        }
        parentPort.postMessage({ allowed, most });
      });`;
    const sluice = new URL('../../dist/index.js', import.meta.url).href;
    let total = 0;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        const worker = new Worker(code, { eval: true, workerData: { sluice, handle: limiter.handle } });
        const { allowed, most } = await new Promise<{ allowed: number; most: number }>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
        total += allowed;
        expect(most).toBeLessThanOrEqual(4); // 3, and one whose release is still being counted
        await worker.terminate();
      }),
    );
    expect(total).toBe(50_000);
    expect(limiter.stats()).toMatchObject({ allowed: 50_000, inFlight: 0, keys: 1 });
    expect(limiter.tryAcquire({ key: 'the one' })).toMatchObject({ tier: 'token-bucket' });
  });
});
