import { Queue } from 'sluice';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Row, rows } from './row.js';

afterEach(() => vi.restoreAllMocks());

describe('without ttlMs, shed and latency', () => {
  it('a queue reads no clock, except for a wait that has to be measured', async () => {
    const readings = [vi.spyOn(performance, 'now'), vi.spyOn(Date, 'now'), vi.spyOn(process, 'hrtime')];
    const timer = vi.spyOn(globalThis, 'setTimeout');
    const queue = Queue.create(Row, { capacity: 100, lanes: 2 });
    queue.tryPush({ number: 1 }, { lane: 1 });
    queue.tryPushMany(rows(2, 70));
    await queue.push({ number: 1 }, { timeoutMs: 1e6 });
    queue.pushSync({ number: 1 }, 1e6);
    queue.tryReserve(1)?.send({ number: 1 });
    const batcher = queue.batcher();
    batcher.push({ number: 1 });
    batcher.flush();
    queue.tryPop();
    queue.popSync(1e6);
    queue.popMany(5);
    queue.drain(() => {}, 10);
    queue.close();
    queue.popMany(1_000);
    await queue.drained({ timeoutMs: 1e6 });
    for (const reading of [...readings, timer]) expect(reading).not.toHaveBeenCalled();
  });

  it('a loop reads the clock once when it begins, and once for each batch', async () => {
    const readings = vi.spyOn(performance, 'now');
    const queue = Queue.create(Row, { capacity: 1_000 });
    queue.tryPushMany(rows(0, 640));
    queue.close();
    await queue.consume(() => {});
    // There are ten batches. On a slow machine a batch may begin in a new turn of the event loop, which reads the
    // clock, too.
    expect(readings.mock.calls.length).toBeLessThanOrEqual(2 * (1 + 10));
  });
});
