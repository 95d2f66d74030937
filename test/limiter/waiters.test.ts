import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Decision, Limiter, ManualClock, Queue, record, u32 } from 'sluice';
import { describe, expect, it, vi } from 'vitest';
import { nativeLimiter } from '../../dist/limiter/index.js';
import { isCalledFrom } from '../called-from.js';
import { mistyped } from '../mistyped.js';
import { rejected } from '../thrown.js';

/** Lets the event loop turn until `done`. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await turn();
}

/** Counts the native calls that serving the waiters takes. */
function counted(limiter: Limiter): { calls: number } {
  const native = nativeLimiter(mistyped(limiter)) as unknown as Record<
    string,
    (...given: unknown[]) => unknown
  >;
  const count = { calls: 0 };
  for (const name of ['acquire', 'tend', 'told', 'leave', 'peek']) {
    const original = native[name] as (...given: unknown[]) => unknown;
    native[name] = (...given) => {
      count.calls++;
      return original(...given);
    };
  }
  return count;
}

/** Makes `count` calls of acquire(). Returns their promises, and the order in which they are served or refused. */
function waiters(limiter: Limiter, count: number, options: (i: number) => object = () => ({})) {
  const served: number[] = [];
  const refused: number[] = [];
  const waits = Array.from({ length: count }, async (_, i): Promise<Decision> => {
    const decision = await limiter.acquire(options(i));
    (decision.allowed ? served : refused).push(i);
    return decision;
  });
  return { served, refused, waits };
}
const ascending = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('many waiters', () => {
  it.each([4_000, 20_000])(
    '%i are served in order by a clock, for a few native calls each',
    async (count) => {
      const clock = new ManualClock();
      const limiter = Limiter.create({
        tokenBucket: { ratePerSecond: 1_000, burst: 1 },
        maxWaiting: count,
        clock,
      });
      limiter.allow();
      const calls = counted(limiter);
      const { served } = waiters(limiter, count);
      expect(limiter.stats().waiting).toBe(count);
      for (let i = 1; i <= count; i++) {
        clock.advance(1);
        await until(() => served.length === i);
      }
      expect(served).toEqual(ascending(count));
      expect(calls.calls).toBeLessThan(10 * count);
    },
  );

  it.each([4_000, 20_000])(
    '%i are served one by one as work ends, for a few native calls each',
    async (count) => {
      const limiter = Limiter.create({ queueDepth: { max: 1 }, maxWaiting: count });
      limiter.allow();
      const calls = counted(limiter);
      const { served, waits } = waiters(limiter, count);
      limiter.release();
      for (const wait of waits) {
        const decision = await wait;
        if (decision.allowed) decision.release();
      }
      expect(served).toEqual(ascending(count));
      expect(calls.calls).toBeLessThan(10 * count);
      expect(limiter.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
    },
  );

  it('are served all at once if the clock allows it', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1, burst: 5_000 },
      maxWaiting: 5_000,
      clock,
    });
    limiter.allow(undefined, 5_000);
    const calls = counted(limiter);
    const { served, waits } = waiters(limiter, 5_000);
    clock.advance(5_000_000);
    await Promise.all(waits);
    expect(served).toEqual(ascending(5_000));
    expect(calls.calls).toBeLessThan(5 * 5_000);
  });

  it('of a depth that follows a queue are served as far as the queue has room for what they will push', async () => {
    const Row = record({ number: u32 });
    const queue = Queue.create(Row, { capacity: 1_000 });
    const limiter = Limiter.create({ queueDepth: { max: 100, queue } });
    for (let number = 0; number < 100; number++) queue.tryPush({ number });
    let served = 0;
    const waits = Array.from({ length: 300 }, async (_, number) => {
      await limiter.acquire();
      served++;
      queue.tryPush({ number });
    });
    expect(limiter.stats().waiting).toBe(300);
    for (const [popped, expected] of [
      [1, 1],
      [100, 101],
      [30, 131],
    ] as const) {
      queue.popMany(popped);
      await until(() => served >= expected);
      await delay(20); // further looks at the queue, which come every 5 ms, serve nobody
      expect([served, queue.depth]).toEqual([expected, 100]);
    }
    limiter[Symbol.dispose]();
    await Promise.allSettled(waits);
  });

  it('of several objects of one thread are each settled by their own object', async () => {
    const clock = new ManualClock();
    const first = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 2 }, clock });
    const second = Limiter.attach(first.handle);
    first.allow(undefined, 2);
    const decisions = [first.acquire(), second.acquire(), first.acquire(), second.acquire()];
    clock.advance(2_000);
    expect(await Promise.all(decisions.slice(0, 2))).toMatchObject([{ allowed: true }, { allowed: true }]);
    clock.advance(2_000);
    expect(await Promise.all(decisions)).toMatchObject(Array(4).fill({ allowed: true }));
  });

  it('of two objects of one thread are each settled by their own object, for a few native calls each', async () => {
    const first = Limiter.create({ queueDepth: { max: 8_000 }, maxWaiting: 8_000 });
    const second = Limiter.attach(first.handle);
    first.allow(undefined, 8_000);
    const calls = [counted(first), counted(second)];
    const [late, early] = [waiters(second, 4_000), waiters(first, 4_000)];
    first.release(8_000);
    await Promise.all([...late.waits, ...early.waits]);
    expect([late.served, early.served]).toEqual([ascending(4_000), ascending(4_000)]);
    for (const { calls: count } of calls) expect(count).toBeLessThan(5 * 4_000);
    expect(first.stats()).toMatchObject({ waiting: 0, inFlight: 8_000 });
  });

  it('of one object are left alone when another object of the thread is disposed of', async () => {
    const clock = new ManualClock();
    const stays = Limiter.create({ queueDepth: { max: 2 }, clock });
    const goes = Limiter.attach(stays.handle);
    stays.allow(undefined, 2);
    const ended = Promise.allSettled([goes.acquire(), goes.acquire({ timeoutMs: 10 })]);
    const waits = [stays.acquire(), stays.acquire({ timeoutMs: 10 }), stays.acquire()];
    goes[Symbol.dispose]();
    const disposed = { status: 'rejected', reason: { code: 'ERR_SLUICE_DISPOSED' } };
    expect(await ended).toMatchObject([disposed, disposed]);
    expect(stays.stats().waiting).toBe(3);
    stays.release();
    clock.advance(10);
    expect(await Promise.all(waits.slice(0, 2))).toMatchObject([{ allowed: true }, { allowed: false }]);
    stays.release();
    expect(await waits[2]).toMatchObject({ allowed: true });
    expect(stays.stats()).toMatchObject({ waiting: 0, inFlight: 2 });
  });

  it('end at once when charges of other calls have put their turn beyond their deadline', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 6 }, clock });
    limiter.block(undefined, 5);
    const decision = limiter.acquire({ timeoutMs: 12 });
    limiter.penalty(6);
    clock.advance(1);
    expect(await decision).toMatchObject({ allowed: false });
  });

  it('leave and expire for a few native calls each, and the rest goes on', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ queueDepth: { max: 1 }, maxWaiting: 4_000, clock });
    limiter.allow();
    const controller = new AbortController();
    const calls = counted(limiter);
    const { served, refused, waits } = waiters(limiter, 4_000, (i) =>
      i % 2 === 0 ? { timeoutMs: i < 2_000 ? 1_000 : 2_000 } : i < 3_999 ? { signal: controller.signal } : {},
    );
    const settled = Promise.allSettled(waits);
    controller.abort();
    clock.advance(1_000);
    await until(() => refused.length === 1_000);
    clock.advance(1_000);
    await until(() => refused.length === 2_000);
    expect(limiter.stats().waiting).toBe(1);
    limiter.release();
    await settled;
    expect(served).toEqual([3_999]);
    expect(calls.calls).toBeLessThan(10 * 4_000);
  });

  it('are refused or served at once when limits change, however many', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1_000, burst: 10 },
      maxWaiting: 2_000,
      clock,
    });
    limiter.allow(undefined, 10);
    const { served, refused, waits } = waiters(limiter, 2_000, () => ({ timeoutMs: 3_000 }));
    limiter.configure({ tokenBucket: { ratePerSecond: 100 } });
    await until(() => refused.length === 1_700); // 300 tokens come within 3 s
    expect(refused).toEqual(ascending(2_000).slice(300));
    for (let i = 1; i <= 300; i++) {
      clock.advance(10);
      await until(() => served.length === i);
    }
    await Promise.all(waits);
    expect(served).toEqual(ascending(300));
  });

  it('of many keys are refused at once when limits change, too', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({
      queueDepth: { max: 2 },
      keys: { max: 1_000 },
      maxWaiting: 1_000,
      clock,
    });
    for (let key = 0; key < 300; key++) limiter.allow(key, 2);
    const { served, refused, waits } = waiters(limiter, 300, (key) => ({ key, cost: 2 }));
    limiter.configure({ queueDepth: { max: 1 } }); // now a cost of 2 can never be allowed
    await Promise.all(waits);
    expect([served.length, refused.length]).toEqual([0, 300]);
  });

  it('on the real clock, the next waiter moves up when the first leaves, and is served in its own time', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 10, burst: 600_000 } });
    limiter.allow(undefined, 600_000);
    const controller = new AbortController();
    const hours = limiter.acquire({ cost: 500_000, signal: controller.signal }).catch(() => 'aborted');
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.sluice).then(async ({ Limiter }) => {
        const limiter = Limiter.attach(workerData.handle);
        parentPort.postMessage(await limiter.acquire({ cost: 1 }).then(({ allowed }) => allowed));
      });`;
    const sluice = new URL('../../dist/index.js', import.meta.url).href;
    const worker = new Worker(code, { eval: true, workerData: { sluice, handle: limiter.handle } });
    const allowed = new Promise((resolve) => worker.once('message', resolve));
    await until(() => limiter.stats().waiting === 2);
    controller.abort();
    expect(await hours).toBe('aborted');
    expect(await allowed).toBe(true);
    await worker.terminate();
  });

  it('on the real clock, is served sooner by a reward', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 10, burst: 600_000 } });
    limiter.allow(undefined, 600_000);
    const wait = limiter.acquire({ cost: 500_000 });
    limiter.reward(499_999);
    expect(await wait).toMatchObject({ allowed: true });
  });

  it('are not looked at when another key is blocked, and are refused when their own is', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 0.1, burst: 1 }, keys: { max: 100 } });
    const keys = ascending(50);
    for (const key of keys) limiter.allow(key);
    const { refused, waits } = waiters(limiter, keys.length, (key) => ({ key, timeoutMs: 20_000 }));
    for (let i = 0; i < 10; i++) await turn();
    const calls = counted(limiter);
    limiter.block('another', 60_000);
    for (let i = 0; i < 10; i++) await turn();
    expect(calls.calls).toBe(0);
    limiter.block(7, 60_000);
    expect(await waits[7]).toMatchObject({ allowed: false, tier: 'blocked' });
    expect(refused).toEqual([7]);
    expect(calls.calls).toBeLessThan(5);
    limiter[Symbol.dispose]();
    await Promise.allSettled(waits);
  });

  it('are found by texts, which a Map hashes with a secret, whatever their keys are', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 0.001, burst: 1 }, keys: { max: 9 } });
    const keys = [5, 5n, '5', -(1n << 70n)];
    for (const key of keys) limiter.allow(key);
    const set = vi.spyOn(Map.prototype, 'set');
    const waits = keys.map((key) => rejected(limiter.acquire({ key })));
    const byKey = set.mock.calls.filter(([, value]) => Object.hasOwn(Object(value), 'list'));
    set.mockRestore();
    expect(byKey.map(([name]) => typeof name)).toEqual(keys.map(() => 'string'));
    expect(new Set(byKey.map(([name]) => name)).size).toBe(keys.length);
    limiter[Symbol.dispose]();
    for (const wait of waits) expect((await wait).code).toBe('ERR_SLUICE_DISPOSED');
  });

  it('are not looked for behind all waiters that were served before them', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const first = limiter.tryAcquire();
    const waits = Array.from({ length: 50 }, () => limiter.acquire());
    // Array destructuring and `for of` call this method of a Set. So the test notices a walk through a set of waiters.
    const walk = Set.prototype[Symbol.iterator];
    let walks = 0;
    Set.prototype[Symbol.iterator] = function walked(this: Set<unknown>) {
      if (isCalledFrom('limiter')) walks++;
      return walk.call(this);
    };
    if (first.allowed) first.release();
    for (const wait of waits) {
      const decision = await wait;
      if (decision.allowed) decision.release();
    }
    Set.prototype[Symbol.iterator] = walk;
    expect(walks).toBe(0);
    expect(limiter.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
  });
});
