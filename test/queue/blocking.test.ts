import { performance } from 'node:perf_hooks';
import { Queue } from 'sluice';
import { afterEach, describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { nativeOf } from './native-of.js';
import { RemoteQueue } from './remote-queue.js';
import { Row, rows } from './row.js';
import { expectConserved, numbers, until } from './until.js';

const long = 2_147_483_647;
const remotes: RemoteQueue[] = [];
async function remote(queue: Queue<{ number: number }>): Promise<RemoteQueue> {
  const attached = await RemoteQueue.attach(queue.handle);
  remotes.push(attached);
  return attached;
}
afterEach(async () => {
  for (const { thread } of remotes.splice(0)) await thread.terminate();
});

describe('pushSync', () => {
  it('answers true at once while there is room, and false if there is none in time', () => {
    const queue = Queue.create(Row, { capacity: 1 });
    expect(queue.pushSync({ number: 1 }, 0)).toBe(true);
    expect(queue.pushSync({ number: 2 }, 0)).toBe(false);
    expect(queue.pushSync({ number: 2 }, 0.5)).toBe(false);
    expect(queue.pushSync({ number: 2 }, 60)).toBe(false); // longer than one native wait
    expect(queue.stats()).toMatchObject({ waiting: 0, pushed: 1, rejected: 1 });
    expect(queue.tryPop()).toEqual({ number: 1 });
    expect(queue.tryPop()).toBeUndefined();
  });

  it('sleeps until another thread makes room, in turn with all other waiters', async () => {
    const queue = Queue.create(Row, { capacity: 1 });
    queue.tryPush({ number: 0 });
    const blocked = await remote(queue);
    const waits: Promise<unknown>[] = [];
    for (let number = 1; number <= 8; number++) {
      waits.push(number % 2 ? queue.push({ number }) : blocked.call('push', [{ number }]));
      await until(() => queue.stats().waiting === number);
    }
    const last = blocked.call('pushSync', [{ number: 9 }, long]);
    await until(() => queue.stats().waiting === 9);
    const order: number[] = [];
    while (order.length < 10) {
      order.push(...numbers(queue.popMany(9)));
      await until(() => order.length >= 10 || queue.depth > 0);
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await last).toBe(true);
    await Promise.all(waits); // the waits of the blocked thread are settled, too
    expectConserved(queue);
  });

  it("throws when the queue is closed while it waits, and the thread still gets 'closed'", async () => {
    const queue = Queue.create(Row, { capacity: 1 });
    queue.tryPush({ number: 0 });
    const blocked = await remote(queue);
    const waiting = blocked.call('pushSync', [{ number: 1 }, long]);
    await until(() => queue.stats().waiting === 1);
    queue.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_SLUICE_CLOSED' });
    expect(queue.stats()).toMatchObject({ waiting: 0, depth: 1 });
  });
});

describe('popSync', () => {
  it('returns a record that is there at once, and undefined if none comes in time or none can come', () => {
    const queue = Queue.create(Row, { capacity: 3 });
    queue.tryPushMany(rows(1, 2));
    expect(queue.popSync(0)).toEqual({ number: 1 });
    expect(queue.popSync(long)).toEqual({ number: 2 });
    expect(queue.popSync(0)).toBeUndefined();
    expect(queue.popSync(60)).toBeUndefined();
    queue.tryPush({ number: 3 });
    queue.close();
    expect(queue.popSync(long)).toEqual({ number: 3 });
    expect(queue.popSync(long)).toBeUndefined();
  });

  it('sleeps until another thread pushes or closes', async () => {
    const queue = Queue.create(Row, { capacity: 3 });
    const blocked = await remote(queue);
    for (let number = 0; number < 50; number++) {
      const popped = blocked.call('popSync', [long]);
      if (number % 3 === 0) await blocked.call.length; // every third push comes one microtask later
      queue.tryPush({ number });
      expect(await popped).toEqual({ number });
    }
    const ended = blocked.call('popSync', [long]);
    queue.close();
    expect(await ended).toBeUndefined();
    expectConserved(queue);
  });

  it('is refused while a loop of the same object consumes', async () => {
    const queue = Queue.create(Row, { capacity: 3 });
    const consuming = queue.consume(() => {});
    expectError(
      thrown(() => queue.popSync(1)),
      'ERR_SLUICE_REENTRANT',
    );
    queue.close();
    await consuming;
  });

  it.each([-1, Number.NaN, 2 ** 31, '1', undefined])('refuses %s milliseconds', (timeoutMs) => {
    const queue = Queue.create(Row, { capacity: 1 });
    const kind = typeof timeoutMs === 'number' ? RangeError : TypeError;
    expectError(
      thrown(() => queue.popSync(mistyped(timeoutMs))),
      'ERR_SLUICE_OPTION',
      kind,
    );
    expectError(
      thrown(() => queue.pushSync({ number: 1 }, mistyped(timeoutMs))),
      'ERR_SLUICE_OPTION',
      kind,
    );
  });
});

describe.each([
  ['pushSync', [{ number: 1 }, long], 1],
  ['popSync', [long], 0],
] as const)('a thread that sleeps in %s', (method, args, inside) => {
  it('obeys terminate(), and leaves no waiter and no lease behind', async () => {
    const queue = Queue.create(Row, { capacity: 1, maxWaiting: 1 });
    for (let round = 0; round < 5; round++) {
      queue.tryPushMany(rows(0, inside));
      const { thread, call } = await remote(queue).then((other) => ({
        thread: other.thread,
        call: other.call.bind(other),
      }));
      void call(method, args).catch(() => {});
      if (inside === 1) await until(() => queue.stats().waiting === 1);
      else await until(() => nativeOf(queue).consumed() === 1);
      // A sleep that is not cut into slices lasts 24 days, so this test then times out. The next test checks how long a
      // slice is.
      await thread.terminate();
      expect(queue.stats().waiting).toBe(0);
      expect(queue.popMany(9)).toHaveLength(inside);
      queue.releaseLease();
    }
    expectConserved(queue);
  });

  it('never sleeps longer at a time than the 100 ms within which it obeys', () => {
    const queue = Queue.create(Row, { capacity: 1 });
    queue.tryPushMany(rows(0, inside));
    const slept: number[] = [];
    // Replaces the native sleep. After a few sleeps, the awaited record or room comes.
    const asleep = (ms: number): void => {
      slept.push(ms);
      if (slept.length < 5) return;
      if (inside === 1) queue.tryPop();
      else queue.tryPush({ number: 1 });
    };
    nativeOf(queue).awaitServed = asleep;
    nativeOf(queue).awaitRecord = (ms) => {
      asleep(ms);
      return 1;
    };
    const came = method === 'pushSync' ? queue.pushSync({ number: 1 }, long) : queue.popSync(long);
    expect(came).toEqual(method === 'pushSync' ? true : { number: 1 });
    expect(slept).toHaveLength(5);
    for (const ms of slept) expect(ms).toBeGreaterThan(0);
    for (const ms of slept) expect(ms).toBeLessThanOrEqual(100);
  });

  it('uses no CPU', async () => {
    const queue = Queue.create(Row, { capacity: 1 });
    queue.tryPushMany(rows(0, inside));
    const blocked = await remote(queue);
    const sleptMs = 300;
    // The rest of the process sleeps, too, so the CPU time of the process bounds that of the thread.
    const waiting = blocked.call(method, method === 'popSync' ? [sleptMs] : [{ number: 1 }, sleptMs]);
    const before = process.cpuUsage();
    const begin = performance.now();
    await waiting;
    const passedMs = performance.now() - begin;
    const { user, system } = process.cpuUsage(before);
    expect(passedMs).toBeGreaterThanOrEqual(sleptMs - 5);
    expect((user + system) / 1_000).toBeLessThan(passedMs / 2);
  });
});
