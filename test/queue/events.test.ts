import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as immediate } from 'node:timers/promises';
import { ManualClock, Queue } from 'sluice';
import { afterEach, describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { nativeOf } from './native-of.js';
import { Row, rows } from './row.js';
import { until } from './until.js';

const queueOf = (options = {}) => Queue.create(Row, { capacity: 2, ...options });

let stop: Array<() => void> = [];
/** Returns what is published on a channel from now to the end of the test. */
function published(name: string): unknown[] {
  const messages: unknown[] = [];
  const listener = (message: unknown) => messages.push(message);
  subscribe(name, listener);
  stop.push(() => unsubscribe(name, listener));
  return messages;
}
afterEach(() => {
  for (const end of stop) end();
  stop = [];
});

/** Returns the uncaught exceptions while `act` runs and in the turn after it. */
async function uncaught(act: () => Promise<void>): Promise<unknown[]> {
  const failures: unknown[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => failures.push(error));
  try {
    await act();
    await immediate();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  }
  return failures;
}

describe('diagnostics_channel', () => {
  it('gets a full queue, records that expire or are dropped, refused waiters and the close of a queue', async () => {
    const messages = {
      full: published('sluice:queue:full'),
      expired: published('sluice:queue:expired'),
      dropped: published('sluice:queue:dropped'),
      closed: published('sluice:queue:closed'),
      refused: published('sluice:queue:waiter-refused'),
    };
    const clock = new ManualClock();
    const queue = queueOf({ ttlMs: 5, overflow: 'drop-oldest', maxWaiting: 0, lanes: 2, clock });
    queue.tryPushMany(rows(0, 6), { lane: 1 });
    expect(messages.full).toEqual(Array(2).fill({ queue, lane: 1 }));
    expectError(await rejected(queue.push({ number: 9 }, { lane: 1 })), 'ERR_SLUICE_WAITERS');
    expect(messages.refused).toEqual([{ queue, lane: 1 }]);
    expect(queue.tryPop()).toEqual({ number: 2 });
    expect(messages.dropped).toEqual(rows(0, 2).map((record) => ({ queue, record, reason: 'oldest' })));
    clock.advance(5);
    expect(queue.tryPop()).toBeUndefined();
    expect(messages.expired).toEqual([{ queue, record: { number: 3 }, reason: 'expired' }]);
    queue.close();
    queue.close();
    expect(messages.closed).toEqual([{ queue }]);
  });

  it('gets a full queue whenever a record is refused because there is no room, not when it waits', async () => {
    const full = published('sluice:queue:full');
    const queue = queueOf({ capacity: 1 });
    queue.tryPush({ number: 0 });
    const refusals: Array<() => unknown> = [
      () => queue.tryPush({ number: 1 }),
      () => queue.tryPushMany(rows(1, 1)),
      () => queue.batcher().push({ number: 1 }),
      () => queue.pushSync({ number: 1 }, 0),
      () => rejected(queue.push({ number: 1 }, { timeoutMs: 0 })),
    ];
    for (const [i, refused] of refusals.entries()) {
      await refused();
      expect(full, String(refused)).toHaveLength(i + 1);
    }
    await rejected(queue.push({ number: 1 }, { timeoutMs: 1 }));
    const waits = queue.push({ number: 1 });
    expect(queue.stats()).toMatchObject({ rejected: refusals.length, waiting: 1 });
    queue.tryPop();
    await waits;
    expect(queue.stats().rejected).toBe(refusals.length);
    expect(full).toEqual(refusals.map(() => ({ queue, lane: 0 })));
  });

  it('gets nothing more after unsubscribing, and records are then not even copied', () => {
    const dropped = published('sluice:queue:dropped');
    const queue = queueOf({ overflow: 'drop-oldest' });
    queue.tryPushMany(rows(0, 3));
    queue.tryPop();
    expect(dropped).toHaveLength(1);
    stop.pop()?.();
    let asked = 0;
    const { wantDropped } = nativeOf(queue);
    nativeOf(queue).wantDropped = (wanted) => {
      asked = wanted + 10;
      wantDropped(wanted);
    };
    queue.tryPushMany(rows(3, 3));
    queue.popMany(9);
    expect(dropped).toHaveLength(1);
    expect(asked).toBe(10);
    expect(queue.stats().dropped).toBe(3);
  });
});

describe('on', () => {
  it("emits 'closed' once, in every object and thread with a listener, also if the queue was closed before", async () => {
    const queue = queueOf();
    const other = Queue.attach(Row, queue.handle);
    const told: string[] = [];
    queue.on('closed', () => told.push('closer'));
    other.on('closed', () => told.push('other'));
    expect(queue.close()).toBe(true);
    expect(other.close()).toBe(false);
    expect(told).toEqual(['closer']);
    await until(() => told.length === 2);
    const late = Queue.attach(Row, queue.handle);
    late.on('closed', () => told.push('late'));
    await until(() => told.length === 3);
    queue.on('closed', () => told.push('closer, later'));
    const gone = () => told.push('gone');
    queue.on('closed', gone).off('closed', gone);
    await immediate();
    expect(told).toEqual(['closer', 'other', 'late', 'closer, later']);
  });

  it("takes no listener of 'closed' once it is disposed of, whether it had one before or not", () => {
    const listener = () => {};
    for (const listened of [false, true]) {
      const queue = queueOf();
      if (listened) queue.on('closed', listener).off('closed', listener);
      queue[Symbol.dispose]();
      expectError(
        thrown(() => queue.on('closed', listener)),
        'ERR_SLUICE_DISPOSED',
      );
    }
  });

  it("calls every listener of 'closed' even if one fails, and close() does not fail", async () => {
    const queue = queueOf();
    const failure = new Error('listener');
    const told: string[] = [];
    queue.on('closed', () => {
      throw failure;
    });
    queue.on('closed', () => void told.push('second'));
    const failures = await uncaught(async () => {
      expect(queue.close()).toBe(true);
      expect(told).toEqual(['second']);
    });
    expect(failures).toEqual([failure]);
  });

  it('stops with off', () => {
    const queue = queueOf({ overflow: 'drop-oldest' });
    const seen: unknown[] = [];
    const listener = (record: unknown) => seen.push(record);
    queue.on('dropped', listener);
    queue.tryPushMany(rows(0, 3));
    queue.tryPop();
    queue.off('dropped', listener);
    queue.tryPushMany(rows(3, 3));
    queue.popMany(9);
    expect(seen).toEqual([{ number: 0 }]);
  });

  it('does not let a listener consume, and loses nothing when it disposes of the queue', () => {
    const queue = queueOf({ overflow: 'drop-oldest', capacity: 200 });
    const refused: unknown[] = [];
    queue.on('dropped', () => {
      refused.push(thrown(() => queue.tryPop()).code);
      queue[Symbol.dispose]();
    });
    queue.tryPushMany(rows(0, 201));
    expect(queue.popMany(10)).toEqual(rows(1, 10));
    expect(refused).toEqual(['ERR_SLUICE_REENTRANT']);
    expectError(
      thrown(() => queue.tryPop()),
      'ERR_SLUICE_DISPOSED',
    );
  });

  it.each(['close', 'expire', '', 'toString', undefined])('knows no event %j', (event) => {
    expectError(
      thrown(() => queueOf().on(mistyped(event), () => {})),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });

  it('needs a function', () => {
    expectError(
      thrown(() => queueOf().on('closed', mistyped('listener'))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });
});

describe('a consuming loop', () => {
  it('ends at once when a listener aborts its signal', async () => {
    const clock = new ManualClock();
    const queue = queueOf({ ttlMs: 1, clock });
    const controller = new AbortController();
    const reason = new Error('stop');
    queue.on('expired', () => controller.abort(reason));
    queue.tryPush({ number: 1 });
    clock.advance(1);
    expect(await rejected(queue.consume(() => {}, { signal: controller.signal }))).toBe(reason);
  });
});
