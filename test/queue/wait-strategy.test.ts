import { setImmediate as immediate } from 'node:timers/promises';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { nativeOf } from './native-of.js';
import { Row } from './row.js';
import { until } from './until.js';

/** Returns an empty queue, and the list in which calls of its native functions `spin` and `park` are recorded. */
function noted(): { queue: Queue<{ number: number }>; calls: string[] } {
  const queue = Queue.create(Row, { capacity: 9 });
  const calls: string[] = [];
  const { spin, park } = nativeOf(queue);
  nativeOf(queue).spin = (pauses) => {
    calls.push(`spin ${pauses}`);
    return spin(pauses);
  };
  nativeOf(queue).park = () => {
    calls.push('park');
    return park();
  };
  return { queue, calls };
}

describe('a consumer that finds nothing', () => {
  it('parks at once unless it is told to spin', async () => {
    const { queue, calls } = noted();
    const consuming = queue.consume(() => {});
    await until(() => calls.length > 0);
    queue.close();
    await consuming;
    expect(calls[0]).toBe('park');
    expect(calls.join()).not.toContain('spin');
  });

  it('with `spin` looks for a record during that many pauses, and then parks', async () => {
    const { queue, calls } = noted();
    const consuming = queue.consume(() => {}, { spin: 1_000 });
    await until(() => calls.includes('park'));
    await immediate();
    expect(calls).toEqual(['spin 1000', 'park']);
    queue.close();
    await consuming;
  });

  it('with `spin` takes what comes while it spins without having parked', async () => {
    const { queue, calls } = noted();
    const { spin } = nativeOf(queue);
    let number = 0;
    nativeOf(queue).spin = (pauses) => {
      if (number < 5) queue.tryPush({ number: number++ });
      return spin(pauses);
    };
    const seen: number[] = [];
    const consuming = queue.consume(([row]) => seen.push(row?.number ?? -1), { spin: 1_000 });
    await until(() => calls.includes('park'));
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(calls).toEqual([...Array(6).fill('spin 1000'), 'park']);
    expect(queue.stats().wakeups).toBe(0);
    queue.close();
    await consuming;
  });
});
