import { Limiter, Queue, record, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { rejected } from '../thrown.js';

const Row = record({ number: u32 });

function full(): Queue<{ number: number }> {
  const queue = Queue.create(Row, { capacity: 1 });
  queue.tryPush({ number: 0 });
  return queue;
}

/** Returns a signal whose method `name` is replaced by `method`. */
function signalWith(name: string, method: () => void): AbortSignal {
  const { signal } = new AbortController();
  Object.defineProperty(signal, name, { value: method });
  return signal;
}

const failure = new Error('of the signal');
const fails = (): never => {
  throw failure;
};

describe('a signal whose methods are its own', () => {
  it.each(['throwIfAborted', 'addEventListener'])(
    'puts no record in place of another by %s',
    async (name) => {
      const queue = full();
      const signal = signalWith(name, () => queue.tryPush({ number: 666 }));
      const waits = queue.push({ number: 1 }, { signal });
      expect(queue.tryPop()).toEqual({ number: 0 });
      await waits;
      expect(queue.tryPop()).toEqual({ number: 1 });
    },
  );

  it('leaves no waiter for room behind, by a method that throws', async () => {
    const queue = full();
    const signal = signalWith('addEventListener', fails);
    expect(await rejected(queue.push({ number: 1 }, { signal }))).toBe(failure);
    expect(await rejected(queue.reserve(1, { signal }))).toBe(failure);
    expect(queue.stats().waiting).toBe(0);
    queue.tryPop();
    expect(await rejected(queue.reserve(1, { signal }))).toBe(failure);
    expect(queue.stats()).toMatchObject({ permits: 0, depth: 0 });
    expect(queue.tryPush({ number: 2 })).toBe(true);
  });

  it.each(['drained', 'empty'] as const)('leaves no wait for the end behind: %s', async (name) => {
    const queue = full();
    const signal = signalWith('addEventListener', fails);
    expect(await rejected(queue[name]({ signal, timeoutMs: 1 }))).toBe(failure);
    // A timer left by the failed call would have fired by now, and thrown.
    expect(await rejected(queue[name]({ timeoutMs: 20 }))).toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
    queue.close();
    queue.tryPop();
    await queue[name]();
  });

  it('leaves no waiter of a limiter behind, by a method that throws', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const first = await limiter.acquire();
    const signal = signalWith('addEventListener', fails);
    expect(await rejected(limiter.acquire({ signal }))).toBe(failure);
    expect(limiter.stats().waiting).toBe(0);
    if (first.allowed) first.release();
    expect(limiter.tryAcquire().allowed).toBe(true);
  });

  it('ends no wait for a limiter without an answer, by a method that disposes of it', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    limiter.tryAcquire();
    const signal = signalWith('addEventListener', () => limiter[Symbol.dispose]());
    expect(await rejected(limiter.acquire({ signal }))).toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
  });

  it('begins no wait for a limiter, or for room, that is disposed of', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    limiter.tryAcquire();
    const queue = full();
    const more: Promise<unknown>[] = [];
    const waitingAgain = (wait: () => Promise<unknown>) =>
      signalWith('removeEventListener', () => more.push(rejected(wait())));
    const waits = [
      rejected(limiter.acquire({ signal: waitingAgain(() => limiter.acquire()) })),
      rejected(queue.push({ number: 1 }, { signal: waitingAgain(() => queue.push({ number: 2 })) })),
    ];
    limiter[Symbol.dispose]();
    queue[Symbol.dispose]();
    expect(await Promise.all(more)).toMatchObject(Array(2).fill({ code: 'ERR_SLUICE_DISPOSED' }));
    expect(await Promise.all(waits)).toMatchObject(Array(2).fill({ code: 'ERR_SLUICE_DISPOSED' }));
  });
});

it('a record whose getter aborts the signal does not wait for room', async () => {
  const queue = full();
  const controller = new AbortController();
  const value = {
    get number() {
      controller.abort(failure);
      return 1;
    },
  };
  expect(await rejected(queue.push(value, { signal: controller.signal }))).toBe(failure);
  expect(queue.stats()).toMatchObject({ waiting: 0, depth: 1 });
});
