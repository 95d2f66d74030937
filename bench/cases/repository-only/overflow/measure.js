/** Measures a queue that spills: while it does, and while it never has to. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Queue, record, u32, u53 } from 'sluice';
import { spill } from 'sluice/overflow';

const Order = record({ id: u53, user: u53, sku: u32, quantity: u32 });
const order = { id: 1, user: 2, sku: 3, quantity: 4 };
const inFlight = 1_024;
const rounds = 512;

/** How often the event loop's delay is looked at, in ms. */
const lookMs = 1;

/**
 * Pushes orders without a consumer, so that all but the first few go to the store.
 * @param {(path: string) => import('sluice/overflow').Store} make
 * @param {number} orders
 * @returns {Promise<{ perSecond: number, p99: number }>} durable orders a second, and the p99 of the loop's delay in ns
 */
export async function measureSpilling(make, orders) {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-overflow-'));
  const overflow = spill({ store: make(join(directory, 'orders')) });
  const queue = Queue.create(Order, { capacity: 16, maxWaiting: inFlight, overflow });
  try {
    await overflow.opened();
    await push(queue, inFlight);
    const before = overflow.stats().appended;
    const loop = monitorEventLoopDelay({ resolution: lookMs });
    const begunAt = performance.now();
    loop.enable();
    await push(queue, orders);
    loop.disable();
    const seconds = (performance.now() - begunAt) / 1_000;
    const appended = overflow.stats().appended - before;
    if (appended !== orders) throw new Error(`${appended} of ${orders} orders went to the store`);
    // The histogram has the times from one look to the next: of an idle loop they are `lookMs`.
    return { perSecond: appended / seconds, p99: Math.max(0, loop.percentile(99) - lookMs * 1e6) };
  } finally {
    queue[Symbol.dispose]();
    await overflow.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** @param {Queue<typeof order>} queue @param {number} orders */
async function push(queue, orders) {
  let left = orders;
  const one = async () => {
    while (left-- > 0) await queue.push(order);
  };
  await Promise.all(Array.from({ length: inFlight }, one));
}

/**
 * @param {((path: string) => import('sluice/overflow').Store) | undefined} make  undefined: no overflow
 * @param {'tryPush' | 'push'} call
 * @param {{ warmUpMs: number, measuredMs: number }} scale
 * @returns {Promise<number>} nanoseconds for a push and a pop
 */
export async function measureUnused(make, call, { warmUpMs, measuredMs }) {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-overflow-'));
  const overflow = make && spill({ store: make(join(directory, 'orders')) });
  const queue = Queue.create(Order, { capacity: 1_024, ...(overflow && { overflow }) });
  try {
    await overflow?.opened();
    await pushAndPop(queue, call, warmUpMs);
    const ns = await pushAndPop(queue, call, measuredMs);
    if (overflow !== undefined && overflow.stats().appended > 0) throw new Error('the queue has spilled');
    return ns;
  } finally {
    queue[Symbol.dispose]();
    await overflow?.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * @param {Queue<typeof order>} queue
 * @param {'tryPush' | 'push'} call
 * @param {number} ms
 * @returns {Promise<number>} nanoseconds for a push and a pop
 */
async function pushAndPop(queue, call, ms) {
  let pushed = 0;
  const begunAt = performance.now();
  while (performance.now() - begunAt < ms) {
    for (let i = 0; i < rounds; i++) {
      if (call === 'push') await queue.push(order);
      else queue.tryPush(order);
      queue.tryPop();
    }
    pushed += rounds;
  }
  return ((performance.now() - begunAt) * 1e6) / pushed;
}
