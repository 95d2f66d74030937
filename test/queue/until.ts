import { setImmediate as immediate } from 'node:timers/promises';
import type { Queue } from 'sluice';
import { expect } from 'vitest';

/** Lets the event loop turn until `condition` holds. The test's own time-out bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await immediate();
}

/** Checks that no record is lost or counted twice. No other thread may use the queue meanwhile. */
export function expectConserved(queue: Queue<never> | Queue<{ number: number }>, message = ''): void {
  const { pushed, popped, expired, dropped, depth } = queue.stats();
  expect(popped + expired + dropped + depth, `popped + expired + dropped + depth = pushed ${message}`).toBe(
    pushed,
  );
}

/** Returns the numbers of rows, for short expectations. */
export function numbers(values: ReadonlyArray<{ number: number }>): number[] {
  return values.map(({ number }) => number);
}
