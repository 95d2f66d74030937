import { ManualClock, Queue, record, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected, thrown } from '../thrown.js';

const Row = record({ number: u32 });

function filled(count: number, capacity = 1_000): Queue<{ number: number }> {
  const queue = Queue.create(Row, { capacity });
  queue.tryPushMany(Array.from({ length: count }, (_, number) => ({ number })));
  return queue;
}

function drained(queue: Queue<{ number: number }>, max?: number): number[] {
  const numbers: number[] = [];
  expect(queue.drain((view) => numbers.push(view.number), max)).toBe(numbers.length);
  return numbers;
}

const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);

it('a queue that is disposed of within a visit visits no more, and visited records are not handed out again', () => {
  const queue = Queue.create(Row, { capacity: 200 });
  const other = Queue.attach(Row, queue.handle);
  queue.tryPushMany(range(0, 200).map((number) => ({ number })));
  const seen: number[] = [];
  const error = thrown(() =>
    queue.drain(({ number }) => {
      seen.push(number);
      if (number === 100) queue[Symbol.dispose]();
    }),
  );
  expectError(error, 'ERR_SLUICE_DISPOSED');
  expect(seen).toEqual(range(0, 101));
  expect(other.popMany(300).map(({ number }) => number)).toEqual(range(101, 200));
});

it('a queue that a listener disposes of before a visit visits nothing: what was shown is not handed out twice', () => {
  const clock = new ManualClock();
  const queue = Queue.create(Row, { capacity: 200, ttlMs: 10, clock });
  const other = Queue.attach(Row, queue.handle);
  queue.tryPush({ number: 0 });
  clock.advance(20);
  queue.tryPushMany(range(1, 200).map((number) => ({ number })));
  queue.on('expired', () => queue[Symbol.dispose]());
  const seen: number[] = [];
  const error = thrown(() => queue.drain(({ number }) => seen.push(number)));
  expectError(error, 'ERR_SLUICE_DISPOSED');
  expect(seen).toEqual([]);
  expect(other.popMany(300).map(({ number }) => number)).toEqual(range(1, 200));
});

describe('drain', () => {
  it.each([0, 1, 63, 64, 65, 200, 1_000])('visits all of %i records, oldest first', (count) => {
    const queue = filled(count);
    expect(drained(queue)).toEqual(range(0, count));
    expect(queue.depth).toBe(0);
  });

  it.each([0, 1, 64, 65, 100, 128])('visits at most %i if told so, and leaves the rest', (max) => {
    const queue = filled(300);
    expect(drained(queue, max)).toEqual(range(0, max));
    expect(queue.depth).toBe(300 - max);
    expect(drained(queue)).toEqual(range(max, 300));
  });

  it.each([0, 1, 62, 63, 64, 65, 100, 127, 128, 199])(
    'that throws at record %i loses only that record',
    (last) => {
      const queue = filled(200);
      const stop = new Error('stop');
      const visited: number[] = [];
      const error = thrown(() =>
        queue.drain(({ number }) => {
          visited.push(number);
          if (number === last) throw stop;
        }),
      );
      expect(error).toBe(stop);
      expect(visited).toEqual(range(0, last + 1));
      expect(queue.depth).toBe(199 - last);
      expect(drained(queue)).toEqual(range(last + 1, 200));
    },
  );

  it('makes room no later than a batch of 64 after the visit', () => {
    const queue = filled(200, 200);
    const rooms: boolean[] = [];
    queue.drain(({ number }) => {
      if (number === 0 || number === 64) rooms.push(queue.tryPush({ number: 1_000 }));
    }, 65);
    expect(rooms).toEqual([false, true]);
  });

  it('visits records that the visit itself pushes', () => {
    const queue = filled(3);
    const seen: number[] = [];
    queue.drain(({ number }) => {
      seen.push(number);
      if (number < 100) queue.tryPush({ number: number + 100 });
    });
    expect(seen).toEqual([0, 1, 2, 100, 101, 102]);
  });

  it('refuses bad arguments', () => {
    const queue = filled(3);
    for (const visit of [undefined, null, {}, 'visit']) {
      expectError(
        thrown(() => queue.drain(mistyped(visit))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
    for (const max of [-1, 0.5, Number.NaN, Infinity]) {
      expectError(
        thrown(() => queue.drain(() => {}, max)),
        'ERR_SLUICE_OPTION',
        RangeError,
      );
    }
    expectError(
      thrown(() => queue.drain(() => {}, mistyped('3'))),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    expect(queue.depth).toBe(3);
  });
});

describe('the visit of drain', () => {
  it('must not consume from its queue by any other way', async () => {
    const queue = filled(5);
    const attempts: Array<() => unknown> = [
      () => queue.tryPop(),
      () => queue.popMany(2),
      () => queue.drain(() => {}),
      () => queue.releaseLease(),
    ];
    const rejections: Array<Promise<unknown>> = [];
    queue.drain(() => {
      for (const attempt of attempts) expectError(thrown(attempt), 'ERR_SLUICE_REENTRANT');
      rejections.push(rejected(queue.consume(() => {})), rejected(queue[Symbol.asyncIterator]().next()));
    }, 1);
    for (const error of await Promise.all(rejections)) expectError(error as Error, 'ERR_SLUICE_REENTRANT');
    expect(drained(queue)).toEqual([1, 2, 3, 4]);
  });

  it('may close the queue: the rest is still visited', () => {
    const queue = filled(100);
    const seen: number[] = [];
    queue.drain(({ number }) => {
      seen.push(number);
      queue.close();
    });
    expect(seen).toEqual(range(0, 100));
  });

  it('may dispose of the queue: the drain ends with an error', () => {
    const queue = filled(100);
    const other = Queue.attach(Row, queue.handle);
    const error = thrown(() => queue.drain(() => queue[Symbol.dispose]()));
    expectError(error, 'ERR_SLUICE_DISPOSED');
    expect(other.tryPop()).toBeDefined();
  });

  it('may drain another queue', () => {
    const one = filled(2);
    const two = filled(70);
    const seen: number[] = [];
    one.drain(() => seen.push(...drained(two)));
    expect(seen).toEqual(range(0, 70));
    expect(one.depth).toBe(0);
  });

  it('can throw without ending the use of the queue', () => {
    const queue = filled(2);
    thrown(() =>
      queue.drain(() => {
        throw new Error('once');
      }),
    );
    queue.releaseLease();
    expect(queue.tryPop()).toEqual({ number: 1 });
  });
});

describe('with the option latency, stats', () => {
  it('tell how long records waited, by the clock of the queue', async () => {
    const clock = new ManualClock(1_000);
    const queue = Queue.create(Row, { capacity: 1_000, latency: true, clock });
    const takes: Array<() => unknown> = [
      () => queue.drain(() => {}),
      () => queue.popMany(1_000),
      () => Array.from({ length: 250 }, () => queue.tryPop()),
      async () => {
        queue.close();
        await queue.consume(() => {});
      },
    ];
    for (const take of takes) {
      for (let i = 0; i < 250; i++) {
        queue.tryPush({ number: i });
        clock.advance(0.001);
      }
      await take();
    }
    const { waitNs, popped } = queue.stats();
    expect([waitNs.count, popped]).toEqual([1_000, 1_000]);
    expect(waitNs.max).toBe(250_000);
    expect(waitNs.mean).toBe(125_500);
    for (const [quantile, exact] of [
      ['p50', 125_000],
      ['p90', 225_000],
      ['p99', 248_000],
      ['p999', 250_000],
    ] as const) {
      expect(Math.abs(waitNs[quantile] - exact) / exact, quantile).toBeLessThan(1 / 60);
    }
  });

  it('count a record once, though a visit that threw shows it again', () => {
    const clock = new ManualClock();
    const queue = Queue.create(Row, { capacity: 100, latency: true, clock });
    for (let number = 0; number < 10; number++) queue.tryPush({ number });
    clock.advance(1);
    for (let i = 0; i < 9; i++) {
      thrown(() =>
        queue.drain(() => {
          throw new Error('again');
        }),
      );
    }
    clock.advance(1);
    drained(queue);
    const { count, max, mean } = queue.stats().waitNs;
    expect([count, max, mean]).toEqual([10, 1e6, 1e6]);
  });

  it('are measured over hours as over nanoseconds', () => {
    const clock = new ManualClock();
    const queue = Queue.create(Row, { capacity: 1, latency: true, clock });
    for (const ms of [0, 0.000_001, 86_400_000]) {
      queue.tryPush({ number: 1 });
      clock.advance(ms);
      queue.tryPop();
    }
    const { count, max, p50 } = queue.stats().waitNs;
    expect([count, max, p50]).toEqual([3, 86_400_000e6, 1]);
  });

  it('measure nothing without that option', () => {
    const queue = Queue.create(Row, { capacity: 1, clock: new ManualClock() });
    queue.tryPush({ number: 1 });
    queue.tryPop();
    expect(queue.stats().waitNs).toEqual({ count: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
  });
});
