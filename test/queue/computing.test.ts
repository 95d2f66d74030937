import { describe, expect, it } from 'vitest';
import { filled } from './small-queue.js';

/** Keeps the thread busy for `ms` milliseconds. */
function compute(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Returns how often a 1 ms timer of this thread fired while `act` ran. */
async function turnsDuring(act: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await act();
  clearInterval(timer);
  return turns;
}

describe('a loop whose handler computes for longer than a turn', () => {
  const handled = 20;
  const closed = () => {
    const queue = filled(handled);
    queue.close();
    return queue;
  };

  it.each([
    ['consume', () => closed().consume(() => compute(10), { batchSize: 1 })],
    ['consume with concurrency', () => closed().consume(() => compute(10), { batchSize: 1, concurrency: 4 })],
    [
      'consume, of promises that are fulfilled already',
      () => closed().consume(async () => compute(10), { batchSize: 1, concurrency: 4 }),
    ],
    [
      'for await',
      async () => {
        for await (const _ of closed()) compute(10);
      },
    ],
    [
      'readable()',
      async () => {
        for await (const _ of closed().readable()) compute(10);
      },
    ],
  ])('gives timers a turn: %s', async (_, act) => {
    // The timer may not be due in every turn that the loop gives. So the test expects only half as many firings as
    // there are records.
    expect(await turnsDuring(act)).toBeGreaterThanOrEqual(handled / 2);
  });
});
