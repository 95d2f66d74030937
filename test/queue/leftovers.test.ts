import { getEventListeners } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Permit, Queue } from 'sluice';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectError, rejected } from '../thrown.js';
import { nativeOf } from './native-of.js';
import { Row, rows } from './row.js';
import { until } from './until.js';

type Rows = Queue<{ number: number }>;
interface Given {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const maxWaiting = 30;
/** Returns a queue that has no room. */
function full(): Rows {
  const queue = Queue.create(Row, { capacity: 1, maxWaiting });
  queue.tryPushMany(rows(0, 1));
  return queue;
}

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;
const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

/** Takes all free places of native waiters, and returns how many there were. */
function freePlaces(queue: Rows): number {
  let places = 0;
  while (nativeOf(queue).waitPush(0, 0) >= 0) places++;
  return places;
}

/** Ways to wait for something of a full queue, as functions of the queue and of the options `given`. */
const ways = {
  push: (queue: Rows, given: Given) => queue.push({ number: 1 }, given),
  reserve: (queue: Rows, given: Given) => queue.reserve(1, given),
  drained: (queue: Rows, given: Given) => queue.drained(given),
};
type Way = keyof typeof ways;

/** Ways in which waits end. Each function starts some waits, ends them in this way, and checks their outcome. */
const ends: Record<
  string,
  (wait: (given: Given) => Promise<unknown>, queue: Rows, signal: AbortController, way: Way) => Promise<void>
> = {
  async 'an abort'(wait, _queue, controller) {
    const reason = new Error('enough');
    const waits = Array.from({ length: 20 }, () =>
      wait({ signal: controller.signal, timeoutMs: 1e9 }).catch((error: unknown) => error),
    );
    expect(listeners(controller.signal), 'one for all of them').toBe(1);
    controller.abort(reason);
    expect(await Promise.all(waits)).toEqual(Array(20).fill(reason));
  },
  async 'a time-out'(wait, _queue, { signal }) {
    const waits = [wait({ signal, timeoutMs: 0.5 }), wait({ signal, timeoutMs: 2 })].map(rejected);
    for (const waiting of waits) expectError(await waiting, 'ERR_SLUICE_TIMEOUT');
  },
  async 'the close of the queue'(wait, queue, { signal }, way) {
    const waits = [wait({ signal, timeoutMs: 1e9 }), wait({ signal })];
    queue.close();
    if (way === 'drained') queue.tryPop();
    for (const waiting of waits) {
      if (way === 'drained') await waiting;
      else expectError(await rejected(waiting), 'ERR_SLUICE_CLOSED');
    }
  },
  async success(wait, queue, { signal }, way) {
    const waits = Array.from({ length: 3 }, () => wait({ signal, timeoutMs: 1e9 }));
    if (way === 'drained') queue.close();
    for (const waiting of waits) {
      queue.tryPop();
      ((await waiting) as Permit<unknown> | undefined)?.[Symbol.dispose]();
    }
  },
};

const cases = (Object.keys(ways) as Way[]).flatMap((way) =>
  Object.keys(ends).map((end) => [way, end] as const),
);

describe.each(cases)('a %s that ends by %s', (way, end) => {
  it('leaves no listener, timer or waiter, and each native place free', async () => {
    const queue = full();
    const timersBefore = timers();
    const controller = new AbortController();
    await ends[end]?.((given) => ways[way](queue, given), queue, controller, way);
    expect(listeners(controller.signal)).toBe(0);
    await until(() => timers() <= timersBefore); // the test runner's own timers come and go
    expect(queue.stats()).toMatchObject({ waiting: 0, permits: 0 });
    expect(freePlaces(queue)).toBe(maxWaiting);
  });

  it('leaves nothing that keeps its signal or its promise alive while the queue lives on', async () => {
    const queue = full();
    const collected: string[] = [];
    const registry = new FinalizationRegistry((name: string) => collected.push(name));
    await (async () => {
      const controller = new AbortController();
      registry.register(controller.signal, 'signal');
      const wait = (given: Given) => {
        const waiting = ways[way](queue, given);
        registry.register(waiting, 'promise');
        return waiting;
      };
      await ends[end]?.(wait, queue, controller, way);
    })();
    const promises = end === 'an abort' ? 20 : end === 'success' ? 3 : 2;
    await until(() => {
      collect();
      return collected.length === promises + 1;
    });
    queue[Symbol.dispose](); // keeps the queue alive until here
  });
});

describe.each(Object.keys(ways) as Way[])('a %s', (way) => {
  it('that ends because its object is disposed of leaves nothing behind, in other objects either', async () => {
    const queue = full();
    const other = Queue.attach(Row, queue.handle);
    const timersBefore = timers();
    const { signal } = new AbortController();
    const waits = [ways[way](queue, { signal, timeoutMs: 1e9 }), ways[way](queue, { signal })];
    queue[Symbol.dispose]();
    for (const waiting of waits) expectError(await rejected(waiting), 'ERR_SLUICE_DISPOSED');
    expect(listeners(signal)).toBe(0);
    await until(() => timers() <= timersBefore); // the test runner's own timers come and go
    expect(other.stats()).toMatchObject({ waiting: 0, permits: 0 });
    expect(freePlaces(other)).toBe(maxWaiting);
  });
});

it('push whose record aborts its signal when it is read rejects, and waits for nothing', async () => {
  const queue = full();
  const abort = new AbortController();
  const record = {
    get number() {
      abort.abort('by its own record');
      return 1;
    },
  };
  await expect(queue.push(record, { signal: abort.signal })).rejects.toBe('by its own record');
  expect(queue.stats()).toMatchObject({ depth: 1, waiting: 0 });
});

describe('a loop that consumes', () => {
  it.each(['aborted', 'closed', 'disposed of'])('and is %s leaves no listener and no lease', async (end) => {
    const queue = full();
    const other = Queue.attach(Row, queue.handle);
    const controller = new AbortController();
    const consuming = queue.consume(() => {}, { signal: controller.signal }).catch(() => {});
    await until(() => listeners(controller.signal) === 1);
    if (end === 'aborted') controller.abort();
    else if (end === 'closed') queue.close();
    else queue[Symbol.dispose]();
    await consuming;
    expect(listeners(controller.signal)).toBe(0);
    expect(other.tryPop()).toBeUndefined();
  });
});

describe('one signal for very many', () => {
  const warnings: Error[] = [];
  const warned = (warning: Error) => void warnings.push(warning);
  beforeEach(() => void process.on('warning', warned));
  afterEach(() => {
    process.off('warning', warned);
    warnings.length = 0;
  });

  it('has one listener for all waits, permits and loops, until the last of them ends, and Node.js does not warn', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const queues = Array.from({ length: 15 }, full);
    const waits = queues.flatMap((queue) => [
      ...Object.values(ways).map((wait) => wait(queue, { signal })),
      Queue.create(Row, { capacity: 1 }).consume(() => {}, { signal }),
    ]);
    const permits = await Promise.all(
      queues.map(() => Queue.create(Row, { capacity: 1 }).reserve(1, { signal })),
    );
    await immediate();
    expect(listeners(signal)).toBe(1);
    for (const permit of permits) permit[Symbol.dispose]();
    expect(listeners(signal)).toBe(1);
    controller.abort();
    const outcomes = await Promise.allSettled(waits);
    expect(
      outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === signal.reason),
    ).toBe(true);
    expect(listeners(signal)).toBe(0);
    await immediate();
    expect(warnings).toEqual([]);
  });

  it('is listened to again when a caller waits again, and other listeners stay', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const queue = full();
    await rejected(queue.push({ number: 1 }, { signal, timeoutMs: 1 }));
    const long = queue.push({ number: 2 }, { signal });
    await rejected(queue.push({ number: 3 }, { signal, timeoutMs: 1 }));
    expect(listeners(signal)).toBe(1);
    controller.abort();
    expect((await rejected(long)).name).toBe('AbortError');
  });
});
