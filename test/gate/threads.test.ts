import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, Limiter, type LimiterOptions, ManualClock, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { WorkerThread, withThreads } from '../worker-thread.js';
import { fields, Order } from './order.js';

interface Admitted {
  outcomes: Record<string, number>;
  admitted: Map<number, bigint>;
  duplicates: number;
}

const threads = 4;
const rounds = 25_000;
const skus = 3;

interface Shape {
  name: string;
  capacity: number;
  limiter: LimiterOptions;
  quantity: number;
  perUser?: number;
  users: number;
  /** Whether orders are consumed while others are admitted. */
  consumed: boolean;
}

const wide = { ratePerSecond: 1, burst: 10_000_000 };
const shapes: Shape[] = [
  {
    name: 'the stock is short',
    capacity: 200_000,
    limiter: { tokenBucket: wide },
    quantity: 1_000,
    users: 1_000,
    consumed: false,
  },
  {
    name: 'users are limited',
    capacity: 200_000,
    limiter: { tokenBucket: wide },
    quantity: 500_000,
    perUser: 4,
    users: 300,
    consumed: false,
  },
  {
    name: 'the queue is short',
    capacity: 500,
    limiter: { tokenBucket: wide },
    quantity: 500_000,
    users: 1_000,
    consumed: false,
  },
  {
    name: 'tokens are short',
    capacity: 200_000,
    limiter: { tokenBucket: { ...wide, burst: 5_000 } },
    quantity: 500_000,
    users: 1_000,
    consumed: false,
  },
  {
    name: 'the window is short',
    capacity: 200_000,
    limiter: { tokenBucket: wide, slidingWindow: { limit: 4_000, windowMs: 60_000 } },
    quantity: 500_000,
    users: 1_000,
    consumed: false,
  },
  {
    name: 'a little of everything',
    capacity: 64,
    limiter: {
      tokenBucket: { ...wide, burst: 20_000 },
      slidingWindow: { limit: 15_000, windowMs: 60_000 },
      queueDepth: { max: 60 },
    },
    quantity: 4_000,
    perUser: 6,
    users: 2_000,
    consumed: true,
  },
  {
    name: 'everything is consumed',
    capacity: 1_000,
    limiter: { queueDepth: { max: 900 } },
    quantity: 20_000,
    perUser: 40,
    users: 2_000,
    consumed: true,
  },
];

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

describe('four threads that admit to one gate', () => {
  it.each(shapes)('leave exact totals everywhere when $name', async (shape) => {
    const { capacity, quantity, perUser, users, consumed } = shape;
    const clock = new ManualClock();
    const queue = Queue.create(Order, { capacity, clock });
    const limiter = Limiter.create({ ...shape.limiter, clock });
    const items = Array.from({ length: skus }, (_, i) => ({
      sku: 1 + i,
      quantity,
      ...(perUser && { perUser }),
    }));
    const stock = Stock.create({ items, clock, maxReservations: 262_144, maxIds: 262_144, maxUsers: 65_536 });
    const gate = Gate.create({ queue, limiter, stock, fields });
    const start = new SharedArrayBuffer(4);
    const url = new URL('./workers/admitter.js', import.meta.url);
    const admitters = Array.from({ length: threads }, (_, index) => {
      const data = {
        handle: gate.handle,
        rounds,
        users,
        skus,
        firstId: index * rounds,
        seed: seed + index,
        start,
      };
      return new WorkerThread(url, data);
    });

    /** The orders that came out of the queue: ids with their reservations. */
    const handled = new Map<number, bigint>();
    const declined = (id: number): boolean => id % 5 === 0;
    const handle = async ({ id }: { id: bigint }, { reservation }: { reservation: bigint | undefined }) => {
      expect(handled.has(Number(id)), `${replay}: order ${id} came twice`).toBe(false);
      handled.set(Number(id), reservation ?? 0n);
      if (declined(Number(id))) throw new Error('declined');
    };

    await withThreads(admitters, async () => {
      for (const admitter of admitters) await admitter.message('ready');
      const consuming = consumed ? gate.consume(handle, { concurrency: 3 }) : undefined;
      Atomics.store(new Int32Array(start), 0, 1);
      Atomics.notify(new Int32Array(start), 0);
      let admitting = true;
      const answers = Promise.all(
        admitters.map((admitter) => admitter.message<Admitted>('admitted')),
      ).finally(() => {
        admitting = false;
      });
      answers.catch(() => {}); // reported below
      for (let turn = 0; admitting; turn++) {
        // The test does not audit at every turn, because an audit pauses the threads that reserve.
        if (turn % 100 === 0) stock.audit();
        await immediate();
      }
      const all = await answers;
      const count = sum(all.map(({ admitted }) => admitted.size));
      const admitted = new Map(all.flatMap((one) => [...one.admitted]));
      expect(admitted.size, `${replay}: an id was admitted twice`).toBe(count);
      expect(new Set(admitted.values()).size, `${replay}: a reservation was given out twice`).toBe(count);

      // Admitted = pushed = reserved = allowed.
      expect(queue.stats().pushed, replay).toBe(count);
      expect(stock.stats().reserved, replay).toBe(count);
      expect(limiter.stats().allowed, replay).toBe(count);
      const outcomes = (name: string) => sum(all.map((one) => one.outcomes[name] ?? 0));
      expect(gate.stats(), replay).toMatchObject({
        admitted: count,
        duplicates: sum(all.map(({ duplicates }) => duplicates)),
        rateLimited: outcomes('rate-limited'),
        queueFull: outcomes('queue-full'),
        soldOut: outcomes('sold-out'),
        userLimit: outcomes('user-limit'),
      });
      if (!consumed && shape.limiter.queueDepth === undefined) expect(limiter.stats().inFlight).toBe(0);

      queue.close();
      await (consuming ?? gate.consume(handle, { concurrency: 3 }));
      expect(handled, replay).toEqual(admitted);
      expect(stock.audit(), replay).toEqual({ items: skus, held: 0 });
      expect(limiter.stats().inFlight, replay).toBe(0);
      for (let sku = 1; sku <= skus; sku++) {
        const ids = [...admitted.keys()].filter((id) => 1 + (id % skus) === sku && !declined(id));
        const sold = sum(ids.map((id) => 1 + (id % 2)));
        expect(stock.counts(sku), `${replay}, sku ${sku}`).toEqual({
          total: quantity,
          available: quantity - sold,
          reserved: 0,
          sold,
        });
      }
      expectExact(shape, admitted);
    });
    for (const object of [gate, stock, limiter, queue]) object[Symbol.dispose]();
  });
});

/** Checks that the one part which is short in this shape was used up to the last unit. */
function expectExact(
  { name, capacity, limiter, quantity, perUser }: Shape,
  admitted: ReadonlyMap<number, bigint>,
): void {
  const ids = [...admitted.keys()];
  const units = (sku: number) => sum(ids.filter((id) => 1 + (id % skus) === sku).map((id) => 1 + (id % 2)));
  if (name === 'the stock is short')
    expect([1, 2, 3].map(units), replay).toEqual([quantity, quantity, quantity]);
  if (name === 'the queue is short') expect(ids.length, replay).toBe(capacity);
  if (name === 'tokens are short') expect(ids.length, replay).toBe(limiter.tokenBucket?.burst);
  if (name === 'the window is short')
    expect(ids.length, replay).toBe([limiter.slidingWindow ?? []].flat()[0]?.limit);
  if (name !== 'users are limited' || perUser === undefined) return;
  const bought = new Map<string, number>();
  for (const id of ids) {
    const key = `${1 + (id % skus)} ${id % 300}`;
    bought.set(key, (bought.get(key) ?? 0) + 1 + (id % 2));
  }
  expect(new Set(bought.values()), replay).toEqual(new Set([perUser]));
}
