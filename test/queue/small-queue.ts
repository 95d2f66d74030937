import { setImmediate as immediate } from 'node:timers/promises';
import { Queue, record, u32 } from 'sluice';
import { expect } from 'vitest';

export const Row = record({ number: u32 });
export interface Row {
  number: number;
}

/** Returns a queue that holds the numbers from 0 to `count` - 1. */
export function filled(count: number): Queue<Row> {
  const queue = Queue.create(Row, { capacity: 10_000 });
  queue.tryPushMany(Array.from({ length: count }, (_, number) => ({ number })));
  return queue;
}

export function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}

/** Turns the event loop until `condition` holds; the timeout of the test bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await immediate();
}

/** Begins asyncDispose(). Returns its promise, once it has had ten turns of the event loop to end too early. */
export async function expectHeld(queue: AsyncDisposable): Promise<{ gone: Promise<void> }> {
  let letGo = false;
  const gone = Promise.resolve(queue[Symbol.asyncDispose]()).then(() => {
    letGo = true;
  });
  for (let turn = 0; turn < 10; turn++) await immediate();
  expect(letGo).toBe(false);
  return { gone };
}

/** A promise, and the functions that settle it. */
export interface Latch {
  readonly opened: Promise<void>;
  open(): void;
  fail(error: Error): void;
}

export function latch(): Latch {
  let open!: () => void;
  let fail!: (error: Error) => void;
  const opened = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { opened, open, fail };
}
