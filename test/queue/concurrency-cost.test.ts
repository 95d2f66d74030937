import { Gate, type Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { filled, latch, type Row } from './small-queue.js';

const records = 2_000;
const concurrency = 200;

/** Counts the calls of `then` while `act` runs: in all, and the most for one promise. */
async function reactions(act: () => Promise<unknown>): Promise<{ all: number; most: number }> {
  const { then } = Promise.prototype;
  const counts = new Map<unknown, number>();
  // biome-ignore lint/suspicious/noThenProperty: what is counted
  Promise.prototype.then = function counted(this: Promise<unknown>, onFulfilled: never, onRejected: never) {
    counts.set(this, (counts.get(this) ?? 0) + 1);
    return then.call(this, onFulfilled, onRejected);
  } as typeof then;
  try {
    await act();
  } finally {
    // biome-ignore lint/suspicious/noThenProperty: as it was
    Promise.prototype.then = then;
  }
  const each = [...counts.values()];
  return { all: each.reduce((sum, count) => sum + count, 0), most: Math.max(...each) };
}

describe('concurrency', () => {
  const consuming = {
    'of queue.consume': (queue: Queue<Row>, handler: (row: Row | undefined) => unknown) =>
      queue.consume(([row]) => handler(row), { batchSize: 1, concurrency }),
    'of gate.consume': (queue: Queue<Row>, handler: (row: Row) => unknown) =>
      Gate.create({ queue }).consume((row) => handler(row), { concurrency }),
  };

  it.each(Object.entries(consuming))(
    '%s costs the same for each record, however many handlers hang meanwhile, and keeps nothing of the record',
    async (_, consume) => {
      const queue: Queue<Row> = filled(records);
      queue.close();
      const held = latch();
      let handled = 0;
      const { all, most } = await reactions(() =>
        consume(queue, async (row) => {
          // One of the `concurrency` handlers that may run at a time ends at once. The others hang until the last
          // record has come.
          if ((row?.number ?? 0) < concurrency - 1) await held.opened;
          else if (++handled === records - concurrency + 1) held.open();
        }),
      );
      expect(handled).toBe(records - concurrency + 1);
      expect(most).toBeLessThanOrEqual(2);
      expect(all).toBeLessThanOrEqual(4 * records);
    },
  );
});
