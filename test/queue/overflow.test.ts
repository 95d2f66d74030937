import { ManualClock, Queue, type QueueOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { RemoteQueue } from './remote-queue.js';
import { Row, rows } from './row.js';
import { expectConserved, numbers } from './until.js';

describe("the policy 'reject'", () => {
  it('is the default: a record that finds no room is refused and counted, and the queue stays as it is', () => {
    for (const options of [{}, { overflow: 'reject' as const }]) {
      const queue = Queue.create(Row, { capacity: 3, ...options });
      expect(queue.tryPushMany(rows(0, 5))).toBe(3);
      expect(queue.tryPush({ number: 9 })).toBe(false);
      expect(queue.batcher().push({ number: 9 })).toBe(false);
      expect(queue.stats()).toMatchObject({ rejected: 4, dropped: 0 });
      expect(numbers(queue.popMany(9))).toEqual([0, 1, 2]);
      expectConserved(queue);
    }
  });
});

describe("the policy 'drop-oldest'", () => {
  it('accepts records without room, and the consumer drops the oldest: the newest remain, up to the capacity', () => {
    const queue = Queue.create(Row, { capacity: 3, overflow: 'drop-oldest' });
    const dropped: Array<[number, string]> = [];
    queue.on('dropped', ({ number }, reason) => dropped.push([number, reason]));
    expect(queue.tryPushMany(rows(0, 5))).toBe(5);
    expectConserved(queue);
    expect(numbers(queue.popMany(9))).toEqual([2, 3, 4]);
    expect(dropped).toEqual([
      [0, 'oldest'],
      [1, 'oldest'],
    ]);
    expect(queue.stats()).toMatchObject({ pushed: 5, popped: 3, dropped: 2, shed: 0, rejected: 0, depth: 0 });
    expectConserved(queue);
  });

  it('drops in whatever way the records are consumed', async () => {
    const consumers: Array<(queue: Queue<{ number: number }>) => unknown> = [
      (queue) => numbers(mistyped([queue.tryPop(), queue.tryPop()])),
      (queue) => numbers(mistyped([queue.popSync(0), queue.popSync(0)])),
      (queue) => {
        const seen: number[] = [];
        queue.drain(({ number }) => seen.push(number));
        return seen;
      },
      async (queue) => {
        const seen: number[] = [];
        queue.close();
        for await (const { number } of queue) seen.push(number);
        return seen;
      },
      async (queue) => {
        const seen: number[] = [];
        queue.close();
        await queue.consume((batch) => seen.push(...numbers(batch)));
        return seen;
      },
    ];
    for (const consume of consumers) {
      const queue = Queue.create(Row, { capacity: 2, overflow: 'drop-oldest' });
      queue.tryPushMany(rows(0, 4));
      expect(await consume(queue), String(consume)).toEqual([2, 3]);
      expect(queue.stats()).toMatchObject({ dropped: 2, popped: 2 });
      expectConserved(queue);
    }
  });

  it('refuses records beyond twice the capacity while the consumer does not run', async () => {
    const queue = Queue.create(Row, { capacity: 2, overflow: 'drop-oldest' });
    expect(queue.tryPushMany(rows(0, 9))).toBe(4);
    expect(queue.stats()).toMatchObject({ pushed: 4, rejected: 5 });
    const waiting = queue.push({ number: 4 });
    expect(queue.stats().waiting).toBe(1);
    expect(queue.tryPop()).toEqual({ number: 2 });
    await waiting;
    expect(numbers(queue.popMany(9))).toEqual([3, 4]);
    expectConserved(queue);
  });

  it('drops per lane', () => {
    const queue = Queue.create(Row, { capacity: 2, lanes: 2, overflow: 'drop-oldest' });
    queue.tryPushMany(rows(0, 3), { lane: 0 });
    queue.tryPushMany(rows(10, 4), { lane: 1 });
    expect(numbers(queue.popMany(9)).sort((a, b) => a - b)).toEqual([1, 2, 12, 13]);
    expect(queue.stats().dropped).toBe(3);
    expectConserved(queue);
  });
});

describe("the policy 'caller'", () => {
  it('gives the function exactly the records that found no room, in order, and refuses them all the same', () => {
    const spilled: number[] = [];
    const onOverflow = ({ number }: { number: number }) => spilled.push(number);
    const queue = Queue.create(Row, { capacity: 70, overflow: 'caller', onOverflow });
    expect(queue.tryPushMany(rows(0, 200))).toBe(70);
    expect(queue.tryPush({ number: 200 })).toBe(false);
    expect(queue.batcher().push({ number: 201 })).toBe(false);
    expect(spilled).toEqual(Array.from({ length: 132 }, (_, i) => i + 70));
    expect(queue.stats()).toMatchObject({ pushed: 70, rejected: 132, depth: 70 });
    expectConserved(queue);
  });

  it('reports a wait that fails by the wait alone', async () => {
    const spilled: unknown[] = [];
    const onOverflow = (value: unknown) => spilled.push(value);
    const queue = Queue.create(Row, { capacity: 1, overflow: 'caller', onOverflow });
    queue.tryPush({ number: 0 });
    expectError(await rejected(queue.push({ number: 1 }, { timeoutMs: 0 })), 'ERR_SLUICE_TIMEOUT');
    expect(queue.pushSync({ number: 2 }, 0)).toBe(false);
    expect(spilled).toEqual([]);
  });

  it('lets the function push to another queue, or to this one again', () => {
    const next = Queue.create(Row, { capacity: 9 });
    let retried = false;
    const queue: Queue<{ number: number }> = Queue.create(Row, {
      capacity: 1,
      overflow: 'caller',
      onOverflow: (value) => {
        queue.tryPop();
        retried = queue.tryPush(value);
        next.tryPush(value);
      },
    });
    queue.tryPushMany(rows(0, 2));
    expect(retried).toBe(true);
    expect(queue.tryPop()).toEqual({ number: 1 });
    expect(next.tryPop()).toEqual({ number: 1 });
  });

  it('passes the whole rest of a list even if the function fails, and throws its first error', () => {
    const seen: number[] = [];
    const failure = new Error('the next tier is down');
    const onOverflow = ({ number }: { number: number }) => {
      seen.push(number);
      throw failure;
    };
    const queue = Queue.create(Row, { capacity: 1, overflow: 'caller', onOverflow });
    expect(thrown(() => queue.tryPushMany(rows(0, 4)))).toBe(failure);
    expect(seen).toEqual([1, 2, 3]);
    expect(queue.depth).toBe(1);
  });

  it('needs the function in every thread, and only with this policy', async () => {
    const onOverflow = () => {};
    const where = (act: () => unknown) => expectError(thrown(act), 'ERR_SLUICE_OPTION', TypeError);
    where(() => Queue.create(Row, { capacity: 1, overflow: 'caller' }));
    where(() => Queue.create(Row, { capacity: 1, onOverflow }));
    const queue = Queue.create(Row, { capacity: 1, overflow: 'caller', onOverflow });
    for (let i = 0; i < 300; i++) where(() => Queue.attach(Row, queue.handle));
    Queue.attach(Row, queue.handle, { onOverflow })[Symbol.dispose]();
  });
});

/** Every policy but 'overwrite', alone and together with the options that drop records. */
const policies: Array<[string, Partial<QueueOptions<{ number: number }>>]> = [
  ['reject', {}],
  ['drop-oldest', { overflow: 'drop-oldest' }],
  ['caller', { overflow: 'caller' }],
  ['reject with ttlMs', { ttlMs: 10 }],
  ['reject with shedding', { shed: { targetMs: 1, intervalMs: 5 } }],
  ['drop-oldest with ttlMs, shedding and lanes', { overflow: 'drop-oldest', ttlMs: 10, shed: {}, lanes: 2 }],
  ['caller with ttlMs, shedding and lanes', { overflow: 'caller', ttlMs: 10, shed: {}, lanes: 2 }],
];

describe('with producers in other threads', () => {
  it.each(policies)(
    'no record is lost, and pushed = popped + expired + dropped + depth whenever no thread pushes: %s',
    async (_, options) => {
      const clock = new ManualClock(1_000);
      const spills = options.overflow === 'caller';
      const queue = Queue.create(Row, {
        capacity: 10,
        clock,
        ...options,
        ...(spills && { onOverflow: () => expect.unreachable() }),
      });
      const remotes = await Promise.all([1, 2, 3].map(() => RemoteQueue.attach(queue.handle, spills)));
      // What became of each record.
      const popped: number[] = [];
      const told: number[] = [];
      const refused: number[] = [];
      queue.on('expired', ({ number }) => told.push(number)).on('dropped', ({ number }) => told.push(number));
      let next = 0;
      for (let round = 0; round < 20; round++) {
        const pushing = remotes.map(async (remote, i) => {
          const list = rows(next, 4);
          next += 4;
          const lane = i % (options.lanes ?? 1);
          const taken = await remote.call('tryPushMany', [list, { lane }]);
          const rest = numbers(list).slice(taken as number);
          if (!spills) refused.push(...rest);
          else
            expect(await remote.call('take', [], { on: 'spilled' })).toEqual(
              rest.map((number) => ({ number })),
            );
          if (spills) refused.push(...rest);
        });
        await Promise.all(pushing);
        expectConserved(queue, `in round ${round}`);
        clock.advance(round % 4 === 0 ? 7 : 2);
        if (round % 3 === 0) popped.push(...numbers(queue.popMany(7)));
        expectConserved(queue, `in round ${round}`);
      }
      await Promise.all(remotes.map(({ thread }) => thread.terminate()));
      popped.push(...numbers(queue.popMany(64)));
      expectConserved(queue);
      const { depth, expired, dropped } = queue.stats();
      expect({ depth, told: expired + dropped }).toEqual({ depth: 0, told: told.length });
      const fates = [...popped, ...told, ...refused].sort((a, b) => a - b);
      expect(fates).toEqual(numbers(rows(0, next)));
      if (options.ttlMs !== undefined) expect(expired).toBeGreaterThan(0);
      if (options.overflow === 'drop-oldest' || options.shed?.targetMs) expect(dropped).toBeGreaterThan(0);
    },
  );
});
