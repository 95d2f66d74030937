import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import { Gate, Limiter, ManualClock, Queue, type QueueOptions, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { until } from '../queue/until.js';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { fields, Order, order } from './order.js';

function open(capacity: number, options: Partial<QueueOptions<ReturnType<typeof order>>> = {}) {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Order, { capacity, overflow: 'overwrite', clock, ...options });
  const limiter = Limiter.create({ queueDepth: { max: 20 }, keys: { max: 10 }, maxWaiting: 4, clock });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 20, perUser: 9 }], clock });
  const gate = Gate.create({ queue, limiter, stock, fields });
  const admit = (id: number) => gate.admit(order(id, { user: id % 2 }), { key: id % 3 });
  return { clock, queue, limiter, stock, gate, admit };
}
type Open = ReturnType<typeof open>;

/** Checks that `held` orders are in flight and reserved, and that `sold` units are sold. */
function expectHeld({ limiter, stock }: Open, held: number, sold = 0): void {
  expect(limiter.stats().inFlight).toBe(held);
  expect(stock.counts(1)).toEqual({ total: 20, available: 20 - held - sold, reserved: held, sold });
  expect(stock.audit()).toEqual({ items: 1, held });
}
async function handled({ gate, queue }: Open): Promise<number[]> {
  const ids: number[] = [];
  queue.close();
  await gate.consume(({ id, note }) => {
    if (note !== 'past') ids.push(Number(id));
  });
  return ids;
}

const past = order(0, { note: 'past' });
const pushes: Array<[string, (queue: Open['queue']) => unknown]> = [
  ['tryPush', (queue) => queue.tryPush(past)],
  ['tryPush with options', (queue) => queue.tryPush(past, { lane: 0 })],
  ['tryPushMany', (queue) => queue.tryPushMany([past])],
  ['push', (queue) => queue.push(past)],
  ['pushSync', (queue) => queue.pushSync(past, 0)],
  ['a permit', (queue) => queue.tryReserve(1)?.send(past)],
  [
    'a batcher',
    (queue) => {
      const batcher = queue.batcher();
      batcher.push(past);
      batcher.flush();
    },
  ],
];

describe('a gate whose queue overwrites', () => {
  it('admits a new order in place of the oldest, whose units and place are free at once', async () => {
    const all = open(3);
    const answers = Array.from({ length: 8 }, (_, id) => all.admit(id));
    expect(answers.map(({ outcome }) => outcome)).toEqual(Array(8).fill('admitted'));
    expectHeld(all, 3);
    expect(all.queue.stats()).toMatchObject({ depth: 3, pushed: 8, dropped: 5, rejected: 0 });
    expect(all.gate.stats()).toMatchObject({ admitted: 8, queueFull: 0 });
    expect(all.stock.stats()).toMatchObject({ reserved: 8, cancelled: 5, expired: 0 });
    expect(await handled(all)).toEqual([5, 6, 7]);
    expectHeld(all, 0, 3);
  });

  it('answers an id whose order was overwritten as ended, and queues nothing', () => {
    const all = open(2);
    const first = all.admit(0);
    for (let id = 1; id < 3; id++) all.admit(id);
    const { reservation } = first as { reservation: bigint };
    expect(all.admit(0)).toEqual({ outcome: 'already-ended', state: 'cancelled', reservation });
    expect(all.admit(1)).toMatchObject({ outcome: 'admitted', duplicate: true, state: 'held' });
    expectHeld(all, 2);
  });

  it('overwrites nothing for an order that is refused', () => {
    const all = open(2);
    all.admit(0);
    all.admit(1);
    all.clock.advance(1);
    const refusals = [
      all.gate.admit(order(2, { quantity: 21 }), { key: 1 }),
      all.gate.admit(order(3, { user: 1, quantity: 9 }), { key: 1 }),
      all.gate.admit(order(4, { sku: 9 }), { key: 1 }),
      all.gate.admit(order(0, { user: 0, quantity: 2 }), { key: 1 }),
    ];
    expect(refusals.map(({ outcome }) => outcome)).toEqual([
      'sold-out',
      'user-limit',
      'unknown-sku',
      'id-mismatch',
    ]);
    for (let i = 0; i < 20; i++) expect(all.limiter.tryAcquire({ key: 2 }).allowed).toBe(true);
    expect(all.admit(5).outcome).toBe('rate-limited');
    all.limiter.release(20, 2);
    all.queue.close();
    expect(all.admit(6).outcome).toBe('closed');
    expectHeld(all, 2);
    expect(all.queue.stats()).toMatchObject({ depth: 2, dropped: 0 });
  });

  it('queues an order of a restored stock in place of the oldest, too', () => {
    const before = open(2);
    const { reservation } = before.admit(0) as { reservation: bigint };
    const { clock } = before;
    const stock = Stock.restore(before.stock.snapshot(), { clock });
    const queue = Queue.create(Order, { capacity: 1, overflow: 'overwrite', clock });
    const gate = Gate.create({ queue, stock, fields });
    expect(gate.admit(order(1)).outcome).toBe('admitted');
    expect(gate.admit(order(0, { user: 0 }))).toMatchObject({ requeued: true, reservation });
    expect(gate.admit(order(1))).toMatchObject({ outcome: 'already-ended', state: 'cancelled' });
    expect(stock.audit()).toEqual({ items: 1, held: 1 });
    expect(queue.popMany(9)).toEqual([order(0, { user: 0 })]);
  });

  it('is full, with a stock, only while all permits of the queue are taken', () => {
    const all = open(1);
    const permits = Array.from({ length: 16_383 }, () => all.queue.tryReserve(1));
    expect(all.admit(0).outcome).toBe('queue-full');
    for (const permit of permits) permit?.[Symbol.dispose]();
    expect(all.admit(0).outcome).toBe('admitted');
  });

  it.each(pushes)('gives back what an order held that %s past the gate overwrites', async (_, push) => {
    const all = open(3);
    for (let id = 0; id < 3; id++) all.admit(id);
    await push(all.queue);
    expectHeld(all, 2);
    await push(all.queue);
    expectHeld(all, 1);
    expect(all.admit(0)).toMatchObject({ outcome: 'already-ended', state: 'cancelled' });
    expect(await handled(all)).toEqual([2]);
    expectHeld(all, 0, 1);
  });

  it('gives back what orders held when a batch overwrites them as its queue object is disposed of', () => {
    const all = open(2);
    for (let id = 0; id < 2; id++) all.admit(id);
    const other = Queue.attach(Order, all.queue.handle);
    const batcher = other.batcher();
    for (let i = 0; i < 2; i++) batcher.push(past);
    expectHeld(all, 2);
    other[Symbol.dispose]();
    expectHeld(all, 0);
  });

  it.each(['an order', 'a push past the gate'])(
    'gives the place of an order to a waiter, when it is overwritten by %s',
    async (by) => {
      const clock = new ManualClock(1_000);
      const queue = Queue.create(Order, { capacity: 1, overflow: 'overwrite', clock });
      const limiter = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 10 }, maxWaiting: 4, clock });
      const gate = Gate.create({ queue, limiter });
      expect(gate.admit(order(1), { key: 'a' }).outcome).toBe('admitted');
      const waiting = limiter.acquire({ key: 'a' });
      for (let turn = 0; turn < 20; turn++) await immediate();
      expect(limiter.stats()).toMatchObject({ waiting: 1, inFlight: 1 });
      if (by === 'an order') expect(gate.admit(order(2), { key: 'b' }).outcome).toBe('admitted');
      else queue.tryPush(past);
      expect(await waiting).toMatchObject({ allowed: true });
    },
  );

  it('does not touch orders in hand', async () => {
    const all = open(2);
    all.admit(0);
    const ids: number[] = [];
    const stop = new AbortController();
    const consumed = all.gate.consume(
      async ({ id }, hold) => {
        ids.push(Number(id));
        if (ids.length > 1) return;
        for (let next = 1; next < 6; next++) expect(all.admit(next).outcome).toBe('admitted');
        expectHeld(all, 3);
        expect(hold.confirm()).toBe('confirmed');
        all.queue.close();
      },
      { batchSize: 1, signal: stop.signal },
    );
    await consumed;
    expect(ids).toEqual([0, 4, 5]);
    expectHeld(all, 0, 3);
  });

  it.each(['gate.consume', 'queue.consume', 'popMany', 'drain'])(
    'gives back what expired orders held, beside overwritten ones: by %s',
    async (by) => {
      const all = open(4, { ttlMs: 10 });
      for (let id = 0; id < 6; id++) all.admit(id);
      all.clock.advance(10);
      for (let id = 6; id < 8; id++) all.admit(id);
      expectHeld(all, 4);
      if (by === 'popMany') all.queue.popMany(9);
      if (by === 'drain') all.queue.drain(() => {});
      all.queue.close();
      if (by === 'queue.consume') await all.queue.consume(() => {});
      if (by === 'gate.consume') expect(await handled(all)).toEqual([6, 7]);
      else all.limiter.release(1, 0);
      if (by !== 'gate.consume') all.limiter.release(1, 1);
      expect(all.queue.stats()).toMatchObject({ dropped: 4, expired: 2, popped: 2 });
      expect(all.stock.stats().cancelled).toBe(6);
      expect(all.limiter.stats().inFlight).toBe(0);
    },
  );

  it('gives back nothing for orders that are overwritten after it is gone', () => {
    const all = open(2);
    for (let id = 0; id < 2; id++) all.admit(id);
    all.gate[Symbol.dispose]();
    expect(all.limiter.stats().inFlight).toBe(0);
    expect(all.queue.tryPush(past)).toBe(true);
    expect(all.stock.counts(1).reserved).toBe(2);
    const next = Gate.create({ queue: all.queue, limiter: all.limiter, stock: all.stock, fields });
    for (let id = 10; id < 14; id++) expect(next.admit(order(id), { key: 1 }).outcome).toBe('admitted');
    expect(all.limiter.stats().inFlight).toBe(2);
    expect(all.stock.counts(1).reserved).toBe(4);
  });

  it.each([1, 7, 100])(
    'keeps exact totals while threads overwrite orders, push past it and are terminated, capacity %i',
    async (capacity) => {
      const queue = Queue.create(Order, { capacity, overflow: 'overwrite', ttlMs: 1 });
      const limiter = Limiter.create({ queueDepth: { max: 100_000 } });
      const items = [1, 2, 3].map((sku) => ({ sku, quantity: 1_000_000, perUser: 100_000 }));
      const stock = Stock.create({ items, holdMs: 600_000, maxIds: 262_144 });
      const gate = Gate.create({ queue, limiter, stock, fields });
      const shared = new SharedArrayBuffer(8);
      const words = new Int32Array(shared);
      const random = new SeededRandom(seed);
      const ids = 50_000;
      let started = 0;
      const start = (): WorkerThread => {
        const firstId = 1 + (started % 3) * ids;
        const data = { handle: gate.handle, seed: seed + started++, firstId, ids, shared };
        return new WorkerThread(new URL('./workers/over-pusher.js', import.meta.url), data);
      };
      const threads = [start(), start(), start()];
      let confirmed = 0;
      let declined = 0;
      await withThreads(threads, async () => {
        const consumed = gate.consume(
          async ({ note }, { reservation }) => {
            if (random.chance(0.2)) await immediate();
            if (note === 'past') expect(reservation, replay).toBeUndefined();
            else if (random.chance(0.3)) {
              declined++;
              throw new Error('declined');
            } else confirmed++;
          },
          { concurrency: 3 },
        );
        for (let round = 0; round < 12; round++) {
          for (let i = 0; i < 10; i++) {
            stock.audit();
            await sleep(2);
          }
          const victim = random.below(3);
          await threads[victim]?.terminate();
          threads[victim] = start();
        }
        // On a slow machine most threads are terminated before they push.
        await until(() => queue.stats().dropped > 0);
        Atomics.store(words, 0, 1);
        await Promise.all(threads.map((thread) => thread.exited));
        queue.close();
        await consumed;
      });
      const admitted = stock.stats().reserved;
      // A thread may be terminated after it has admitted an order and before it has counted it.
      expect(admitted, replay).toBeGreaterThanOrEqual(words[1] as number);
      expect(admitted, replay).toBeLessThanOrEqual((words[1] as number) + 12);
      expect(gate.stats(), replay).toMatchObject({ admitted, queueFull: 0, inHand: 0 });
      expect(limiter.stats().inFlight, replay).toBe(0);
      expect(stock.audit(), replay).toEqual({ items: 3, held: 0 });
      expect(stock.stats(), replay).toMatchObject({ confirmed, cancelled: admitted - confirmed, expired: 0 });
      const { pushed, popped, dropped, expired, depth } = queue.stats();
      expect([depth, popped + dropped + expired], replay).toEqual([0, pushed]);
      expect(declined + confirmed, replay).toBeLessThanOrEqual(popped);
      expect(dropped, replay).toBeGreaterThan(0);
      for (const object of [gate, stock, limiter, queue]) object[Symbol.dispose]();
    },
  );
});
