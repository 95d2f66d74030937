import { ManualClock, Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { Row, rows } from './row.js';
import { expectConserved, numbers } from './until.js';

function timed(options: object): { clock: ManualClock; queue: Queue<{ number: number }>; expired: number[] } {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Row, { capacity: 2_000, clock, ...options });
  const expired: number[] = [];
  queue.on('expired', ({ number }) => expired.push(number));
  return { clock, queue, expired };
}

describe('a record whose time has run out', () => {
  it('is not consumed, but counted and reported; exactly at its deadline, not before', () => {
    const { clock, queue, expired } = timed({ ttlMs: 10 });
    queue.tryPush({ number: 1 });
    clock.advance(9.999);
    queue.tryPush({ number: 2 });
    expect(queue.tryPop()).toEqual({ number: 1 });
    clock.advance(9.999);
    queue.tryPush({ number: 3 });
    clock.advance(0.001);
    expect(queue.tryPop()).toEqual({ number: 3 });
    expect(expired).toEqual([2]);
    expect(queue.stats()).toMatchObject({ pushed: 3, popped: 2, expired: 1, dropped: 0, depth: 0 });
    expectConserved(queue);
  });

  it('lives for the time that its push gives, in every way of pushing', async () => {
    const { clock, queue, expired } = timed({ ttlMs: Number.POSITIVE_INFINITY });
    queue.tryPush({ number: 0 });
    queue.tryPush({ number: 1 }, { ttlMs: 5 });
    queue.tryPushMany(rows(2, 130), { ttlMs: 6 });
    await queue.push({ number: 200 }, { ttlMs: 7 });
    queue.pushSync({ number: 201 }, 0, { ttlMs: 8 });
    queue.tryPush({ number: 202 }, { ttlMs: Number.POSITIVE_INFINITY });
    queue.tryReserve(1)?.send({ number: 203 });
    const batcher = queue.batcher();
    batcher.push({ number: 204 });
    batcher.flush();
    clock.advance(1e9);
    expect(numbers(queue.popMany(999))).toEqual([0, 202, 203, 204]);
    expect(expired).toEqual([...numbers(rows(1, 131)), 200, 201]);
    expectConserved(queue);
  });

  it('is found among other records, however they are consumed', () => {
    const { clock, queue, expired } = timed({ ttlMs: 100 });
    const list = rows(0, 300);
    for (const value of list) queue.tryPush(value, { ttlMs: value.number % 3 === 0 ? 1 : 50 });
    clock.advance(1);
    const seen: number[] = [];
    for (let i = 0; seen.length < 200; i++) {
      if (i % 3 === 0) seen.push(...numbers(queue.popMany(7)));
      else if (i % 3 === 1) queue.drain(({ number }) => seen.push(number), 5);
      else seen.push(...numbers([queue.tryPop() ?? []].flat()));
      expectConserved(queue);
    }
    expect(queue.tryPop()).toBeUndefined();
    expect(seen).toEqual(numbers(list).filter((number) => number % 3 !== 0));
    expect(expired).toEqual(numbers(list).filter((number) => number % 3 === 0));
  });

  it('does not get through because the loop of the consumer was blocked', async () => {
    const queue = Queue.create(Row, { capacity: 9, ttlMs: 1 });
    const expired: number[] = [];
    queue.on('expired', ({ number }) => expired.push(number));
    const consumed: number[] = [];
    const consuming = queue.consume((batch) => consumed.push(...numbers(batch)));
    queue.tryPushMany(rows(1, 3)); // a wake-up of the consumer is pending
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); // the event loop cannot turn, so no timer fires
    queue.close();
    await consuming;
    expect({ consumed, expired }).toEqual({ consumed: [], expired: [1, 2, 3] });
    expectConserved(queue);
  });

  it('does not get through because visits before it took long', () => {
    const { clock, queue, expired } = timed({ ttlMs: 10 });
    queue.tryPushMany(rows(0, 100));
    const seen: number[] = [];
    const visit = ({ number }: { number: number }) => {
      seen.push(number);
      clock.advance(4);
    };
    expect(queue.drain(visit)).toBe(3);
    expect(seen).toEqual([0, 1, 2]);
    expect(expired).toEqual(numbers(rows(3, 97)));

    const real = Queue.create(Row, { capacity: 64, ttlMs: 86_400_000 });
    real.tryPushMany(rows(0, 2), { ttlMs: 86_400_000 });
    for (const value of rows(2, 62)) real.tryPush(value, { ttlMs: 5 });
    const visited: number[] = [];
    real.drain(({ number }) => {
      visited.push(number);
      // Blocks the thread for 10 ms, longer than the 5 ms for which the other records live.
      if (number === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    });
    expect(visited.slice(0, 2)).toEqual([0, 1]);
    expect(real.stats()).toMatchObject({ popped: 2, expired: 62, depth: 0 });
    expectConserved(real);
  });

  it('does not hold up a pop, even if a listener pushes it again and again', () => {
    for (const pop of ['tryPop', 'popMany', 'popSync', 'drain'] as const) {
      const { clock, queue } = timed({ capacity: 3, ttlMs: 1 });
      let again = 0;
      queue.on('expired', (value) => {
        if (++again > 1_000) throw new Error('without an end');
        queue.tryPush(value);
        clock.advance(1);
      });
      queue.tryPush({ number: 1 });
      clock.advance(1);
      const popping = {
        tryPop: () => queue.tryPop(),
        popMany: () => queue.popMany(5)[0],
        popSync: () => queue.popSync(0),
        drain: () => queue.drain(() => {}) || undefined,
      };
      expect(popping[pop](), pop).toBeUndefined();
      expect(again, pop).toBeLessThan(20);
      expectConserved(queue);
    }
  });

  it('counts from the push, the wait for room included', async () => {
    const { clock, queue, expired } = timed({ capacity: 1, ttlMs: 10 });
    queue.tryPush({ number: 1 });
    const waiting = queue.push({ number: 2 });
    clock.advance(6);
    expect(queue.tryPop()).toEqual({ number: 1 });
    await waiting;
    clock.advance(4);
    expect(queue.tryPop()).toBeUndefined();
    expect(expired).toEqual([2]);
  });

  it('makes room for waiters, and lets a closed queue end, in every thread', async () => {
    const { clock, queue } = timed({ capacity: 1, ttlMs: 10 });
    queue.tryPush({ number: 1 });
    const waiting = queue.push({ number: 2 }, { ttlMs: 20 });
    clock.advance(10);
    expect(queue.popMany(1)).toEqual([{ number: 2 }]);
    await waiting;
    queue.tryPush({ number: 3 });
    queue.close();
    const other = Queue.attach(Row, queue.handle);
    const drained = Promise.all([queue.drained(), other.drained()]);
    clock.advance(10);
    expect(queue.tryPop()).toBeUndefined();
    await drained;
    expectConserved(queue);
  });

  it('stays in the count when its listener throws, and so do the other records', async () => {
    const { clock, queue } = timed({ ttlMs: 1 });
    const failures: unknown[] = [];
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => failures.push(error));
    const failure = new Error('listener');
    queue.on('expired', ({ number }) => {
      if (number === 1) throw failure;
    });
    queue.tryPushMany(rows(0, 3));
    clock.advance(1);
    queue.tryPush({ number: 9 });
    expect(queue.tryPop()).toEqual({ number: 9 });
    await new Promise((resolve) => setImmediate(resolve));
    for (const listener of before) process.on('uncaughtException', listener);
    expect(failures).toEqual([failure]);
    expect(queue.stats()).toMatchObject({ expired: 3, popped: 1 });
  });

  it('cannot be given to a queue without ttlMs', () => {
    const queue = Queue.create(Row, { capacity: 1 });
    expectError(
      thrown(() => queue.tryPush({ number: 1 }, { ttlMs: 1 })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });

  it('leaves the event loop its turns, even if very many records expire', async () => {
    const { clock, queue } = timed({ capacity: 200_000, ttlMs: 1 });
    queue.tryPushMany(rows(0, 200_000));
    clock.advance(1);
    queue.close();
    let turns = 0;
    let done = false;
    const turn = (): void => {
      turns++;
      if (!done) setImmediate(turn);
    };
    setImmediate(turn);
    await queue.consume(() => {});
    done = true;
    expect(turns).toBeGreaterThan(50);
    expect(queue.stats().expired).toBe(200_000);
  });
});

describe('a getter of a record that pushes another one', () => {
  it('changes neither the record nor its time', () => {
    const { clock, queue, expired } = timed({ ttlMs: 1_000 });
    const nested = (number: number): { number: number } => ({
      get number() {
        queue.tryPush({ number: 100 + number }, { ttlMs: 50 });
        return number;
      },
    });
    queue.tryPush(nested(1), { ttlMs: 1 });
    queue.tryPushMany([{ number: 2 }, nested(3), { number: 4 }], { ttlMs: 1 });
    clock.advance(1);
    expect(numbers(queue.popMany(9))).toEqual([101, 103]);
    expect(expired).toEqual([1, 2, 3, 4]);
    const list: Array<{ number: number }> = [];
    list.push({
      get number() {
        queue.tryPushMany(list);
        return 1;
      },
    });
    expectError(
      thrown(() => queue.tryPushMany(list)),
      'ERR_SLUICE_REENTRANT',
    );
    expect(queue.tryPush({ number: 5 })).toBe(true);
    expectConserved(queue);
  });
});

describe('lanes', () => {
  it('are served in order of priority, first in first out within each', () => {
    const queue = Queue.create(Row, { capacity: 10, lanes: 3, weights: [1_000, 1, 1] });
    queue.tryPushMany(rows(20, 5), { lane: 2 });
    queue.tryPushMany(rows(10, 5), { lane: 1 });
    queue.tryPushMany(rows(0, 5), { lane: 0 });
    expect(queue.depth).toBe(15);
    expect(numbers(queue.popMany(64))).toEqual([
      ...numbers(rows(0, 5)),
      ...numbers(rows(10, 5)),
      ...numbers(rows(20, 5)),
    ]);
  });

  it.each([
    [[1, 1], 8],
    [[18, 1, 1], 40],
    [[1, 5, 2], 40],
    [[1, 1_000, 1], 4_008],
    [undefined, 40],
  ])('with the weights %j each get at least their share while they have records', (weights, served) => {
    const lanes = weights?.length ?? 4;
    const queue = Queue.create(Row, { capacity: 100, lanes, ...(weights && { weights }) });
    const got = new Array<number>(lanes).fill(0);
    const next = [...got];
    const last = [...got];
    const fill = (): void => {
      for (let lane = 0; lane < lanes; lane++) {
        while (queue.tryPush({ number: lane * 1e6 + (next[lane] ?? 0) }, { lane }))
          next[lane] = (next[lane] ?? 0) + 1;
      }
    };
    for (let i = 0; i < served; i++) {
      fill();
      const { number } = queue.tryPop() as { number: number };
      const lane = Math.floor(number / 1e6);
      expect(number % 1e6, 'first in, first out').toBe(last[lane]);
      last[lane] = (last[lane] ?? 0) + 1;
      got[lane] = (got[lane] ?? 0) + 1;
    }
    const shares = weights ?? [17, 1, 1, 1];
    const sum = shares.reduce((total, weight) => total + weight, 0);
    for (const [lane, weight] of shares.entries()) {
      expect(got[lane], `lane ${lane} of ${got}`).toBeGreaterThanOrEqual(
        Math.floor((served * weight) / sum) - 1,
      );
    }
    expectConserved(queue);
  });

  it.each([
    [[1]],
    [[1, 1, 1]],
    [[0, 1]],
    [[1, 1_001]],
    [[1, 0.5]],
    [[1, '1']],
    [new Array(2)],
    ['11'],
    [{ length: 2, 0: 1, 1: 1 }],
    [null],
  ])('are two: not with the weights %j', (weights) => {
    expectError(
      thrown(() => Queue.create(Row, { capacity: 1, lanes: 2, weights: mistyped(weights) })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });

  it('are two: weights for four billion lanes are refused without being read', () => {
    const weights = new Array(2 ** 32 - 1);
    expectError(
      thrown(() => Queue.create(Row, { capacity: 1, lanes: 2, weights })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });

  it('are full each by itself', () => {
    const queue = Queue.create(Row, { capacity: 2, lanes: 2 });
    expect(queue.tryPushMany(rows(0, 5), { lane: 1 })).toBe(2);
    expect(queue.tryPushMany(rows(0, 5))).toBe(2);
    expect(queue.stats()).toMatchObject({ depth: 4, highWater: 4, rejected: 6 });
  });
});

describe('shedding', () => {
  const shed = { targetMs: 5, intervalMs: 100 };

  it('drops nothing of a burst that is consumed within the interval', () => {
    const { clock, queue } = timed({ shed });
    queue.tryPushMany(rows(0, 90));
    for (let i = 0; i < 90; i++) {
      clock.advance(1);
      expect(queue.tryPop()).toEqual({ number: i });
    }
    expect(queue.stats().dropped).toBe(0);
  });

  it('drops what waited more than twice the target when waits stayed above the target for an interval', () => {
    const { clock, queue } = timed({ shed });
    const told: Array<[number, string]> = [];
    queue.on('dropped', ({ number }, reason) => told.push([number, reason]));
    let next = 20;
    let served = 0;
    // Each millisecond one record is pushed and one is popped, with 20 records before it. So records wait for 20 ms,
    // and the queue is congested.
    queue.tryPushMany(rows(0, next));
    for (let ms = 0; ms < 300; ms++) {
      clock.advance(1);
      queue.tryPush({ number: next++ });
      if (queue.tryPop() !== undefined) served++;
      expectConserved(queue);
    }
    const { dropped, shed: shedded, depth } = queue.stats();
    expect(dropped).toBe(told.length);
    expect(shedded).toBe(dropped);
    expect(dropped).toBeGreaterThan(5);
    expect(told.every(([, reason]) => reason === 'shed')).toBe(true);
    expect(depth, 'it is not congested any more').toBeLessThanOrEqual(12);
    expect(served).toBe(300);
  });

  it('has a target of 5 ms and an interval of 100 ms by default', () => {
    /**
     * Serves one record a millisecond, each `waitMs` after its push, for `ms` milliseconds. Returns how many are shed.
     */
    const sheds = (waitMs: number, ms: number): number => {
      const { clock, queue } = timed({ shed: {} });
      for (let now = 0; now <= ms; now++) {
        queue.tryPush({ number: now });
        if (now >= waitMs) queue.tryPop();
        clock.advance(1);
      }
      return queue.stats().shed;
    };
    expect(sheds(5, 1_000), 'no wait above the target').toBe(0);
    expect(sheds(10, 1_000), 'none of more than twice the target').toBe(0);
    expect(sheds(11, 11 + 99), 'not before an interval has passed').toBe(0);
    expect(sheds(11, 11 + 101)).toBeGreaterThan(0);
  });

  it('sheds nothing of a queue that was empty in between', () => {
    const { clock, queue } = timed({ shed: {} });
    for (let i = 0; i < 10; i++) {
      queue.tryPushMany(rows(0, 3));
      clock.advance(30);
      expect(queue.popMany(9)).toHaveLength(3);
      queue.tryPop();
      clock.advance(30);
    }
    expect(queue.stats().dropped).toBe(0);
  });
});

describe('the histogram of waits', () => {
  it('is within 2 % of what a manual clock says, from microseconds to days', () => {
    for (const waitMs of [0.001, 0.017, 1, 33.3, 999, 86_400_000]) {
      const { clock, queue } = timed({ latency: true });
      queue.tryPush({ number: 1 });
      clock.advance(waitMs);
      queue.tryPop();
      const { count, mean, p50, p999, max } = queue.stats().waitNs;
      expect(count).toBe(1);
      for (const value of [mean, p50, p999, max])
        expect(Math.abs(value / (waitMs * 1e6) - 1)).toBeLessThan(0.02);
    }
  });
});
