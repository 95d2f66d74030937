import { type Permit, Queue } from 'sluice';
import { afterEach, describe, expect, it } from 'vitest';
import { isCalledFrom } from '../called-from.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { RemoteQueue } from './remote-queue.js';
import { Row, rows } from './row.js';
import { expectConserved, numbers, until } from './until.js';

type Rows = Queue<{ number: number }>;

/** Returns a queue that has no room. */
function full(capacity = 1, options = {}): Rows {
  const queue = Queue.create(Row, { capacity, ...options });
  queue.tryPushMany(rows(0, capacity));
  return queue;
}

const remotes: RemoteQueue[] = [];
async function remote(queue: Rows): Promise<RemoteQueue> {
  const attached = await RemoteQueue.attach(queue.handle);
  remotes.push(attached);
  return attached;
}
afterEach(async () => {
  for (const { thread } of remotes.splice(0)) await thread.terminate();
});

describe('push', () => {
  it('resolves at once while there is room, and waits for room when there is none', async () => {
    const queue = Queue.create(Row, { capacity: 1 });
    await queue.push({ number: 1 });
    expect(queue.stats().waiting).toBe(0);
    const waiting = queue.push({ number: 2 });
    expect(queue.stats()).toMatchObject({ waiting: 1, depth: 1, pushed: 1 });
    expect(queue.tryPop()).toEqual({ number: 1 });
    await waiting;
    expect(queue.popMany(9)).toEqual([{ number: 2 }]);
    expectConserved(queue);
  });

  it('takes the value as it is when called, not as it is when there is room', async () => {
    const queue = full();
    const value = { number: 5 };
    const waiting = queue.push(value);
    value.number = 6;
    queue.tryPop();
    await waiting;
    expect(queue.tryPop()).toEqual({ number: 5 });
  });

  it('serves waiters first come, first served, over all threads', async () => {
    const queue = full();
    const threads = [await remote(queue), await remote(queue), await remote(queue)];
    const waits: Promise<unknown>[] = [];
    for (let number = 1; number <= 30; number++) {
      const thread = threads[number % 4];
      waits.push(thread === undefined ? queue.push({ number }) : thread.call('push', [{ number }]));
      await until(() => queue.stats().waiting === number);
    }
    const order: number[] = [];
    while (order.length < 31) {
      order.push(...numbers(queue.popMany(3)));
      expectConserved(queue);
    }
    expect(order).toEqual(Array.from({ length: 31 }, (_, i) => i));
    await Promise.all(waits);
    expect(queue.stats().waiting).toBe(0);
  });

  it('lets no push overtake waiters, except in other lanes', async () => {
    const queue = Queue.create(Row, { capacity: 2, lanes: 2 });
    queue.tryPushMany(rows(0, 2));
    const permits = queue.reserve(2);
    queue.tryPop();
    expect(queue.stats()).toMatchObject({ depth: 1, waiting: 1 });
    expect(queue.tryPush({ number: 9 })).toBe(false);
    expect(queue.tryReserve(1)).toBeUndefined();
    expect(queue.batcher().push({ number: 9 })).toBe(false);
    expect(queue.tryPush({ number: 8 }, { lane: 1 })).toBe(true);
    queue.tryPop();
    (await permits)[Symbol.dispose]();
    expect(queue.tryPush({ number: 9 })).toBe(true);
  });

  it('is refused with its own code when as many callers wait as may, and is counted', async () => {
    const queue = full(1, { maxWaiting: 2 });
    const waits = [queue.push({ number: 1 }), queue.reserve(1)];
    expectError(await rejected(queue.push({ number: 3 })), 'ERR_SLUICE_WAITERS');
    expectError(await rejected(queue.reserve(1)), 'ERR_SLUICE_WAITERS');
    expect(queue.stats()).toMatchObject({ waiting: 2, waitersRefused: 2 });
    queue.popMany(9);
    await waits[0];
    queue.popMany(9);
    ((await waits[1]) as Permit<unknown>)[Symbol.dispose]();
    const again = queue.push({ number: 4 });
    await again;
    const nobody = full(1, { maxWaiting: 0 });
    expectError(await rejected(nobody.push({ number: 1 })), 'ERR_SLUICE_WAITERS');
  });

  it('with timeoutMs 0 does not wait, and is the only one counted as rejected', async () => {
    const queue = full();
    expectError(await rejected(queue.push({ number: 1 }, { timeoutMs: 0 })), 'ERR_SLUICE_TIMEOUT');
    expectError(await rejected(queue.push({ number: 1 }, { timeoutMs: 1 })), 'ERR_SLUICE_TIMEOUT');
    const waiting = queue.push({ number: 2 });
    queue.tryPop();
    await waiting;
    expect(queue.stats()).toMatchObject({ waiting: 0, rejected: 1, pushed: 2, waitersRefused: 0 });
  });

  it('waits for as long as a timer can be set, not less', async () => {
    const queue = full();
    const waiting = queue.push({ number: 1 }, { timeoutMs: 2_147_483_647 });
    expect(await Promise.race([waiting, until(() => queue.stats().waiting === 1).then(() => 'waits')])).toBe(
      'waits',
    );
    queue.tryPop();
    await waiting;
  });

  it("with a signal that gives no reason, or dispatches 'abort' without aborting, is not taken for done", async () => {
    const queue = full();
    const waits = (signal: AbortSignal) => [
      queue.push({ number: 1 }, { signal }),
      queue.reserve(1, { signal }),
      queue.drained({ signal }),
    ];
    const silent = new AbortController();
    Object.defineProperty(silent.signal, 'reason', { value: undefined });
    const rejections = waits(silent.signal).map((wait) => wait.then(() => 'resolved', String));
    silent.abort();
    expect(await Promise.all(rejections)).toEqual(['undefined', 'undefined', 'undefined']);
    expect(queue.stats()).toMatchObject({ waiting: 0, depth: 1, pushed: 1 });

    const untrue = new AbortController();
    const pending = waits(untrue.signal);
    untrue.signal.dispatchEvent(new Event('abort'));
    expect(queue.stats()).toMatchObject({ waiting: 2, depth: 1, pushed: 1 });
    const reason = new Error('now it is one');
    const ends = pending.map(rejected);
    untrue.abort(reason);
    expect(await Promise.all(ends)).toEqual([reason, reason, reason]);
    expect(queue.stats()).toMatchObject({ waiting: 0, depth: 1, pushed: 1 });
  });

  it('with a signal that has aborted already pushes nothing, even if there is room', async () => {
    const queue = Queue.create(Row, { capacity: 1 });
    const reason = new Error('over');
    expect(await rejected(queue.push({ number: 1 }, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(await rejected(queue.reserve(1, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(queue.stats()).toMatchObject({ pushed: 0, permits: 0 });
  });

  it('is served when the first waiter leaves, which wants more room than there is', async () => {
    const queue = full(3);
    const controller = new AbortController();
    const greedy = queue.reserve(3, { signal: controller.signal });
    const modest = queue.push({ number: 7 });
    queue.tryPop();
    expect(queue.stats().waiting).toBe(2);
    controller.abort();
    await rejected(greedy);
    await modest;
    expect(queue.stats()).toMatchObject({ waiting: 0, depth: 3, permits: 0 });
  });
});

describe('waiters of an object that is disposed of', () => {
  it('keep the outcome that they had before: a record that was added is not reported as lost', async () => {
    const queue = full(2);
    const other = Queue.attach(Row, queue.handle);
    const added = other.push({ number: 2 });
    const permitted = other.reserve(1);
    const waits = [other.push({ number: 3 }), other.reserve(1), other.push({ number: 4 })];
    queue.popMany(2);
    expect(queue.stats()).toMatchObject({ depth: 1, permits: 1, waiting: 3 });
    other[Symbol.dispose]();
    await added;
    const permit = await permitted;
    expectError(
      thrown(() => permit.send({ number: 9 })),
      'ERR_SLUICE_DISPOSED',
    );
    for (const waiting of waits) expectError(await rejected(waiting), 'ERR_SLUICE_DISPOSED');
    expect(queue.stats()).toMatchObject({ depth: 1, permits: 0, waiting: 0, pushed: 3 });
    expect(numbers(queue.popMany(9))).toEqual([2]);
    expectConserved(queue);
  });

  it('reject because of the close that came before', async () => {
    const queue = full();
    const other = Queue.attach(Row, queue.handle);
    const waits = [other.push({ number: 2 }), other.reserve(1)];
    queue.close();
    other[Symbol.dispose]();
    for (const waiting of waits) expectError(await rejected(waiting), 'ERR_SLUICE_CLOSED');
  });
});

describe('waiters that were served', () => {
  it('are not walked over to find those behind them', async () => {
    const queue = full(1, { maxWaiting: 50 });
    const waits = rows(1, 50).map((value) => queue.push(value));
    const { keys } = Map.prototype;
    let walks = 0;
    Map.prototype.keys = function walked(this: Map<unknown, unknown>) {
      if (isCalledFrom('queue')) walks++;
      return keys.call(this);
    };
    for (const [i, waiting] of waits.entries()) {
      expect(queue.tryPop()).toEqual({ number: i });
      await waiting;
    }
    Map.prototype.keys = keys;
    expect(walks).toBe(0);
    expect(queue.stats()).toMatchObject({ waiting: 0, depth: 1 });
  });
});

describe('waiters of a thread that ends', () => {
  it.each(['terminate', 'end'] as const)('are gone with it, however it ends: %s', async (way) => {
    const queue = full(2, { maxWaiting: 5 });
    const other = await remote(queue);
    for (let i = 1; i <= 4; i++)
      void other.call(i % 2 ? 'push' : 'reserve', i % 2 ? [{ number: 9 }] : [1]).catch(() => {});
    await until(() => queue.stats().waiting === 4);
    const own = queue.push({ number: 5 });
    await (way === 'end' ? other.end() : other.thread.terminate());
    await until(() => queue.stats().waiting === 1);
    expect(numbers(queue.popMany(2))).toEqual([0, 1]);
    await own;
    expect(numbers(queue.popMany(9))).toEqual([5]);
    // The places of all five waiters are free again.
    queue.tryPushMany(rows(0, 2));
    const waits = rows(0, 5).map((value) => queue.push(value));
    expect(queue.stats().waiting).toBe(5);
    queue.close();
    for (const waiting of waits) expectError(await rejected(waiting), 'ERR_SLUICE_CLOSED');
    expectConserved(queue);
  });
});
