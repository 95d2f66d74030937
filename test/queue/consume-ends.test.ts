import { getEventListeners } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, rejected, thrown } from '../thrown.js';
import { expectHeld, filled, latch, Row, range, until } from './small-queue.js';

describe('a handler that fails', () => {
  it.each([
    ['rejects', () => Promise.reject(new Error('rejected'))],
    [
      'throws',
      () => {
        throw new Error('thrown');
      },
    ],
  ])(
    'ends the consumption if it %s; the rest stays in the queue, free for another consumer',
    async (_, fail) => {
      for (const concurrency of [1, 4]) {
        const queue = filled(30);
        const other = Queue.attach(Row, queue.handle);
        const error = await rejected(queue.consume(fail, { batchSize: 10, concurrency }));
        expect(error.message).toMatch(/^(rejected|thrown)$/);
        const left = other.popMany(100).map(({ number }) => number);
        expect(left).toEqual(range(30 - left.length, 30));
        expect(left.length).toBeGreaterThan(0);
      }
    },
  );

  it('ends the consumption at once, also if the queue is empty by then', async () => {
    const queue = filled(1);
    const held = latch();
    const done = rejected(queue.consume(() => held.opened, { concurrency: 4 }));
    for (let turn = 0; turn < 10; turn++) await immediate();
    held.fail(new Error('late'));
    expect((await done).message).toBe('late');
    queue.tryPush({ number: 7 });
    expect(queue.tryPop()).toEqual({ number: 7 });
  });

  it('lets the handlers that run beside it end first; its error is the one thrown', async () => {
    const queue = filled(3);
    const latches = [latch(), latch(), latch()];
    let started = 0;
    let ended = 0;
    const done = rejected(
      queue.consume(
        async () => {
          await latches[started++]?.opened;
          ended++;
        },
        { batchSize: 1, concurrency: 3 },
      ),
    );
    await until(() => started === 3);
    latches[1]?.fail(new Error('the second'));
    for (let turn = 0; turn < 10; turn++) await immediate();
    latches[0]?.open();
    latches[2]?.fail(new Error('the third'));
    expect((await done).message).toBe('the second');
    expect(ended).toBe(1);
  });

  it('may reject with undefined', async () => {
    for (const concurrency of [1, 2]) {
      const outcome = await filled(3)
        .consume(() => Promise.reject(undefined), { concurrency })
        .then(
          () => 'resolved',
          (reason: unknown) => ['rejected', reason],
        );
      expect(outcome).toEqual(['rejected', undefined]);
    }
  });
});

describe('the signal of consume', () => {
  const reason = new Error('enough');

  it('that has aborted already lets nothing be taken', async () => {
    const queue = filled(3);
    expect(
      await rejected(queue.consume(() => expect.unreachable(), { signal: AbortSignal.abort(reason) })),
    ).toBe(reason);
    expect(queue.depth).toBe(3);
  });

  it('that aborts while the consumer sleeps wakes it', async () => {
    const queue = filled(0);
    const abort = new AbortController();
    const done = rejected(queue.consume(() => expect.unreachable(), { signal: abort.signal }));
    await immediate();
    abort.abort(reason);
    expect(await done).toBe(reason);
  });

  it('that aborts while a handler runs lets the handler end, and nothing more is taken', async () => {
    for (const concurrency of [1, 3]) {
      const queue = filled(30);
      const abort = new AbortController();
      const held = latch();
      let ended = false;
      const done = rejected(
        queue.consume(
          async () => {
            await held.opened;
            ended = true;
          },
          { batchSize: 10, concurrency, signal: abort.signal },
        ),
      );
      await until(() => queue.depth === 30 - 10 * concurrency);
      abort.abort(reason);
      for (let turn = 0; turn < 10; turn++) await immediate();
      expect(ended).toBe(false);
      held.open();
      expect(await done).toBe(reason);
      expect(ended).toBe(true);
      expect(queue.depth).toBe(30 - 10 * concurrency);
    }
  });

  it('has no listener left, after a thousand sleeps and after the end', async () => {
    const queue = filled(0);
    const abort = new AbortController();
    let seen = 0;
    const done = queue.consume(
      (batch) => {
        seen += batch.length;
      },
      { signal: abort.signal },
    );
    for (let number = 0; number < 1_000; number++) {
      expect(getEventListeners(abort.signal, 'abort').length).toBeLessThanOrEqual(1);
      queue.tryPush({ number });
      await until(() => seen === number + 1);
    }
    queue.close();
    await done;
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
    expect(queue.stats().wakeups).toBeGreaterThan(0);
  });
});

describe('asyncDispose of a queue object', () => {
  it('waits for the handlers of its own consume()', async () => {
    const queue = filled(3);
    const held = latch();
    const aborted: boolean[] = [];
    const done = queue.consume(
      async (_, { signal }) => {
        await held.opened;
        aborted.push(signal.aborted);
      },
      { batchSize: 1, concurrency: 3 },
    );
    await until(() => queue.depth === 0);
    const { gone } = await expectHeld(queue);
    held.open();
    await Promise.all([done, gone]);
    expect(aborted).toEqual([false, false, false]);
  });

  it('does not wait for the body of an iteration', async () => {
    const queue = filled(1);
    for await (const { number } of queue) {
      expect(number).toBe(0);
      await queue[Symbol.asyncDispose]();
    }
    expectError(
      thrown(() => queue.depth),
      'ERR_SLUICE_DISPOSED',
    );
  });

  it('ends if the object is disposed of while it waits for a handler', async () => {
    const queue = filled(1);
    const held = latch();
    const done = queue.consume(() => held.opened);
    await until(() => queue.depth === 0);
    const gone = queue[Symbol.asyncDispose]();
    for (let turn = 0; turn < 10; turn++) await immediate();
    queue[Symbol.dispose]();
    await gone;
    held.open();
    await done;
  });
});
