import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, rejected, thrown } from '../thrown.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { Numbered, numbered } from './record.js';

type NumberedQueue = Queue<{ producer: number; sequence: number; checksum: number }>;

function filled(count: number): NumberedQueue {
  const queue = Queue.create(Numbered, { capacity: 100 });
  for (let i = 0; i < count; i++) queue.tryPush(numbered(0, i));
  return queue;
}

/** Fails unless pops, drain(), consume() and iteration are refused, while producing is not. */
async function expectRefused(queue: NumberedQueue): Promise<void> {
  for (const attempt of [() => queue.tryPop(), () => queue.popMany(2), () => queue.drain(() => {})]) {
    expectError(thrown(attempt), 'ERR_SLUICE_CONSUMER');
  }
  expectError(await rejected(queue.consume(() => {})), 'ERR_SLUICE_CONSUMER');
  expectError(await rejected(queue[Symbol.asyncIterator]().next()), 'ERR_SLUICE_CONSUMER');
  const { depth } = queue;
  expect(queue.tryPush(numbered(1, 0))).toBe(true);
  expect(queue.stats().pushed).toBeGreaterThan(depth);
}

function consumer(queue: NumberedQueue, manner: string): WorkerThread {
  return new WorkerThread(new URL('./workers/consumer.js', import.meta.url), {
    handle: queue.handle,
    manner,
  });
}

describe('a second consumer', () => {
  it('is refused by every method, in the same thread too', async () => {
    const queue = filled(3);
    const other = Queue.attach(Numbered, queue.handle);
    queue.tryPop();
    await expectRefused(other);
    expect(queue.tryPop()).toEqual(numbered(0, 1));
  });

  it.each(['popped', 'asleep', 'in a handler', 'in a visit', 'in a loop'])(
    'is refused while a worker is the consumer: %s',
    async (manner) => {
      const queue = filled(3);
      const thread = consumer(queue, manner);
      await withThreads([thread], async () => {
        await thread.message('consuming');
        await expectRefused(queue);
      });
    },
  );

  it('is refused while the first one sleeps, and after that was woken', async () => {
    const queue = filled(0);
    const other = Queue.attach(Numbered, queue.handle);
    let seen = 0;
    const done = queue.consume((batch) => {
      seen += batch.length;
      if (seen === 2) queue.close();
    });
    await expectRefused(other);
    other.tryPush(numbered(0, 1));
    await done;
    expect(seen).toBe(2);
  });
});

describe('the lease of the consumer is free again', () => {
  it('after releaseLease, and the next consumer takes it', () => {
    const queue = filled(4);
    const other = Queue.attach(Numbered, queue.handle);
    expect(queue.tryPop()).toEqual(numbered(0, 0));
    queue.releaseLease();
    queue.releaseLease();
    expect(other.tryPop()).toEqual(numbered(0, 1));
    expectError(
      thrown(() => queue.tryPop()),
      'ERR_SLUICE_CONSUMER',
    );
    queue.releaseLease(); // the lease is that of `other`, so nothing happens
    expectError(
      thrown(() => queue.tryPop()),
      'ERR_SLUICE_CONSUMER',
    );
  });

  it('after dispose', () => {
    const queue = filled(3);
    const other = Queue.attach(Numbered, queue.handle);
    other.tryPop();
    other[Symbol.dispose]();
    expect(queue.tryPop()).toEqual(numbered(0, 1));
  });

  it('after the end of consume, by close, by abort and by a failing handler', async () => {
    const queue = filled(3);
    const others = Array.from({ length: 3 }, () => Queue.attach(Numbered, queue.handle)) as [
      NumberedQueue,
      NumberedQueue,
      NumberedQueue,
    ];
    const fail = (): void => {
      throw new Error('failed');
    };
    await rejected(others[0].consume(fail, { batchSize: 1 }));
    await rejected(others[1].consume(() => {}, { signal: AbortSignal.abort() }));
    expect(queue.tryPop()).toEqual(numbered(0, 1));
    queue.releaseLease();
    queue.close();
    await others[2].consume(() => {});
    expect(queue.tryPop()).toBeUndefined();
  });

  it('not while this object consumes or drains', async () => {
    const queue = filled(1);
    const done = queue.consume(() => {});
    expectError(
      thrown(() => queue.releaseLease()),
      'ERR_SLUICE_REENTRANT',
    );
    queue.close();
    await done;
    queue.releaseLease();
  });

  it.each(['popped', 'asleep', 'in a handler'])('after the end of its thread: %s', async (manner) => {
    const queue = filled(3);
    const thread = consumer(queue, manner);
    await withThreads([thread], async () => {
      await thread.message('consuming');
      thread.post({ type: 'end' });
      expect(await thread.exited).toBe(0);
      await expectTakenOver(queue);
    });
  });

  it.each(['popped', 'asleep', 'in a handler', 'in a visit', 'in a loop'])(
    'after its thread was terminated: %s',
    async (manner) => {
      const queue = filled(3);
      const thread = consumer(queue, manner);
      await withThreads([thread], async () => {
        await thread.message('consuming');
        await thread.terminate();
        await expectTakenOver(queue);
      });
    },
  );

  it('after its thread was terminated in a drain, whose records are all still there', async () => {
    const queue = filled(3);
    const thread = consumer(queue, 'in its second visit');
    await withThreads([thread], async () => {
      await thread.message('consuming');
      await thread.terminate();
      expect(queue.popMany(9)).toEqual([0, 1, 2].map((i) => numbered(0, i)));
    });
  });

  it('after the end of consume in a worker that lives on', async () => {
    const queue = filled(3);
    const thread = consumer(queue, 'until closed');
    await withThreads([thread], async () => {
      queue.close();
      await thread.message('consumed');
      expect(queue.tryPop()).toBeUndefined();
    });
  });

  it('for ten workers in turn, each terminated as the consumer', async () => {
    const queue = filled(0);
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 3; i++) queue.tryPush(numbered(0, i));
      const thread = consumer(queue, round % 2 === 0 ? 'asleep' : 'popped');
      await withThreads([thread], () => thread.message('consuming'));
    }
    await expectTakenOver(queue);
  });
});

/** Fails unless this thread can consume, and wakes up for a record that is pushed while it sleeps. */
async function expectTakenOver(queue: NumberedQueue): Promise<void> {
  queue.popMany(100);
  const pusher = Queue.attach(Numbered, queue.handle);
  setImmediate(() => pusher.tryPush(numbered(5, 5)));
  for await (const value of queue) {
    expect(value).toEqual(numbered(5, 5));
    break;
  }
}
