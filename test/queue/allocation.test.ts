import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as immediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { Row } from './row.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Counts garbage collections while `act` runs. `act` must not wait for anything. */
async function collectionsDuring(act: () => void): Promise<number> {
  const starts: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { startTime } of list.getEntries()) starts.push(startTime);
  });
  observer.observe({ entryTypes: ['gc'] });
  collect();
  const begin = performance.now();
  act();
  const end = performance.now();
  for (let turn = 0; turn < 5; turn++) await immediate();
  observer.disconnect();
  return starts.filter((start) => start >= begin && start <= end).length;
}

describe('a record that is pushed and drained', () => {
  const queue = Queue.create(Row, { capacity: 64 });
  const value = { number: 7 };
  let sum = 0;
  const visit = (view: { number: number }): void => {
    sum += view.number;
  };
  const rounds = (count: number, also: () => void = () => {}): void => {
    for (let round = 0; round < count; round++) {
      for (let i = 0; i < 64; i++) {
        queue.tryPush(value);
        also();
      }
      queue.drain(visit);
    }
  };

  it('costs no garbage: a million and a half of them, and nothing is collected', async () => {
    rounds(2_000);
    sum = 0;
    expect(await collectionsDuring(() => rounds(24_000))).toBe(0);
    expect(sum).toBe(24_000 * 64 * 7);
    // The same run with one small object for each record shows that the test notices garbage.
    const kept: object[] = [];
    const garbage = () => {
      kept[0] = { of: kept.length };
    };
    expect(await collectionsDuring(() => rounds(24_000, garbage))).toBeGreaterThan(0);
  });
});
