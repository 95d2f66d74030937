import { setTimeout as sleep } from 'node:timers/promises';
import { Gate, Limiter, ManualClock, type Movement, Queue, Stock, type StockCounts } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { WorkerThread } from '../worker-thread.js';
import { fields, group, handler, perUser, Shop, SoakMemory } from './soak.js';

/**
 * How long each of the two runs takes, in seconds. `SLUICE_SOAK_SECONDS` sets the time for both together:
 * `SLUICE_SOAK_SECONDS=180 npm run soak`.
 */
const seconds = Number(process.env['SLUICE_SOAK_SECONDS'] ?? 20) / 2;
const admitters = 4;
const replacedEveryMs = 200;
const programs = {
  admitter: new URL('./workers/soak-admitter.js', import.meta.url),
  consumer: new URL('./workers/soak-consumer.js', import.meta.url),
  clerk: new URL('./workers/soak-clerk.js', import.meta.url),
};

/**
 * Books that are kept from the ledger's movements alone. They check that each unit of a reservation ends exactly once.
 * Units that came from several shards of their item are reported in parts.
 */
class Books {
  readonly sold = new Map<number | string, number>();
  readonly soldTo = new Map<string, number>();
  readonly problems: string[] = [];
  readonly ends = { confirmed: 0, returned: 0, cancelled: 0, expired: 0, reversed: 0 };
  /** The total units of each item. */
  readonly totals = new Map<number | string, number>();
  readonly #reservations = new Set<bigint>();
  /** Units bought by a reservation and not returned by it, by reservation and item. */
  readonly #boughtBy = new Map<string, number>();
  readonly #open = new Map<string, number>();

  get reservations(): number {
    return this.#reservations.size;
  }
  get held(): number {
    return this.#open.size;
  }

  add(movement: Movement | { kind: 'lost'; count: number }): void {
    if (movement.kind === 'lost') {
      this.problems.push(`${movement.count} movements were lost: the books are worthless`);
      return;
    }
    const { kind, sku, quantity, reservation, user } = movement;
    const more = { added: quantity, restocked: quantity, withdrawn: -quantity }[kind as 'added'];
    if (more !== undefined) this.totals.set(sku, (this.totals.get(sku) ?? 0) + more);
    const buyer = `${user} ${sku}`;
    if (kind === 'confirmed' || kind === 'reversed') {
      const units = kind === 'confirmed' ? quantity : -quantity;
      this.sold.set(sku, (this.sold.get(sku) ?? 0) + units);
      this.soldTo.set(buyer, (this.soldTo.get(buyer) ?? 0) + units);
    }
    const line = `${reservation} ${sku}`;
    if (kind === 'confirmed') this.#boughtBy.set(line, (this.#boughtBy.get(line) ?? 0) + quantity);
    if (kind === 'reversed') {
      this.ends.reversed++;
      const left = (this.#boughtBy.get(line) ?? 0) - quantity;
      if (reservation !== undefined && left < 0) this.problems.push(`returned twice: ${line}`);
      this.#boughtBy.set(line, left);
      return;
    }
    if (reservation === undefined) return;
    if (kind === 'reserved') {
      this.#reservations.add(reservation);
      this.#open.set(line, (this.#open.get(line) ?? 0) + quantity);
      return;
    }
    const left = (this.#open.get(line) ?? 0) - quantity;
    if (left < 0) this.problems.push(`${kind} although not held: ${line}`);
    if (left === 0) this.#open.delete(line);
    else this.#open.set(line, left);
    this.ends[kind as keyof Books['ends']]++;
  }
}

/** What operators do during the run, at random. No limit per user is ever higher than at the end. */
class Operator {
  readonly totals: Map<number | string, number>;
  readonly backorders: Map<number | string, number>;
  /** The highest number of units that were sold or held beyond an item's total. */
  backordered = 0;
  #closed: number | string | undefined;

  constructor(
    readonly shop: Shop,
    readonly stock: Stock,
    readonly random: SeededRandom,
  ) {
    this.totals = new Map(shop.skus.map((sku) => [sku, 2_000]));
    this.backorders = new Map(shop.skus.map((sku) => [sku, 0]));
  }

  act(): void {
    const { stock, random } = this;
    const { skus } = this.shop;
    const sku = random.pick(skus);
    const more = random.between(1, 400);
    if (random.chance(0.8)) this.#told(sku, stock.restock(sku, more));
    if (random.chance(0.2)) stock.withdraw(sku, random.between(1, 50));
    if (random.chance(0.2)) stock.setTotal(sku, random.between(0, 5_000), { clamp: true });
    if (random.chance(0.4)) stock.changeItem(sku, { backorder: random.between(0, 300) }, { clamp: true });
    if (random.chance(0.3)) stock.changeItem(sku, { perUser: random.between(perUser / 2, perUser) });
    if (random.chance(0.3)) stock.changeGroup(group.name, { perUser: random.between(8, group.perUser) });
    if (random.chance(0.2)) stock.configure({ holdMs: random.between(300, 1_000) });
    if (this.#closed !== undefined) stock.reopenItem(this.#closed);
    this.#closed = random.chance(0.2) ? sku : undefined;
    if (this.#closed !== undefined) stock.closeItem(sku);
    for (const each of skus) this.#told(each, stock.counts(each));
  }

  /** Reopens the closed item, if there is one, and sets each limit per user to its value at the end. */
  end(): void {
    if (this.#closed !== undefined) this.stock.reopenItem(this.#closed);
    for (const sku of this.shop.skus) this.stock.changeItem(sku, { perUser });
    this.stock.changeGroup(group.name, { perUser: group.perUser });
  }

  /** Checks and notes the counts of an item. No other thread changes its total or its backorder. */
  #told(
    sku: number | string,
    { total, available, reserved, sold, backorder = 0, backordered = 0 }: StockCounts,
  ): void {
    expect([available + reserved + sold, backordered <= backorder], replay).toEqual([
      total + backordered,
      true,
    ]);
    this.backordered = Math.max(this.backordered, backordered);
    this.totals.set(sku, total);
    this.backorders.set(sku, backorder);
  }
}

/**
 * Saves a ledger while threads use it, and restores it with larger tables. Each held order is queued again exactly
 * once, although threads that admit the orders again are terminated.
 */
async function requeued(shop: Shop, stock: Stock, random: SeededRandom): Promise<number> {
  const clock = new ManualClock(); // it does not move, so no hold runs out meanwhile
  const restored = Stock.restore(stock.snapshot(), { maxReservations: 8_192, maxItems: 40, clock });
  const queue = Queue.create(shop.Order, { capacity: 8_192, clock });
  const gate = Gate.create({ queue, stock: restored, fields });
  const ids = [...restored.reservations({ state: 'held' })].map(({ id }) => shop.numberOf(id));
  if (ids.length > 0) {
    for (let i = 0; i < 3; i++) {
      const url = new URL('./workers/soak-requeuer.js', import.meta.url);
      const data = { handle: gate.handle, ids, seed: random.between(1, 1_000), texts: shop.texts };
      const thread = new WorkerThread(url, data);
      await thread.message('asks');
      await sleep(random.between(0, 5));
      await thread.terminate();
    }
  }
  for (const id of ids) {
    const { order, lines } = shop.orderOf(id);
    expect(gate.admit(order, { lines }), `${replay}: order ${id}`).toMatchObject({ outcome: 'admitted' });
  }
  expect(gate.stats(), replay).toMatchObject({ requeued: ids.length, admitted: 0 });
  queue.close();
  const seen: number[] = [];
  await gate.consume(({ id }) => void seen.push(shop.numberOf(id)));
  const inOrder = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);
  expect(inOrder(seen), replay).toEqual(inOrder(ids));
  restored.expire(); // the holds that were already over when the ledger was saved
  expect(restored.audit().held, replay).toBe(0);
  for (const object of [gate, queue, restored]) object[Symbol.dispose]();
  return ids.length;
}

describe('a gate under load', () => {
  it.each([
    { orders: 'numbers', overflow: 'reject' as const, capacity: 512 },
    { orders: 'texts', overflow: 'overwrite' as const, capacity: 64 },
  ])(
    `has exact totals after ${seconds} s in which its threads, the consumer too, are terminated: $orders, $overflow`,
    {
      timeout: seconds * 1_000 + 120_000,
    },
    async ({ orders, overflow, capacity }) => {
      const shop = new Shop(orders === 'texts');
      const { skus } = shop;
      const queue = Queue.create(shop.Order, { capacity, overflow, ttlMs: 900 });
      const limiter = Limiter.create({
        tokenBucket: { ratePerSecond: 1_500, burst: 200 },
        queueDepth: { max: 150 },
        keys: { max: 64 },
      });
      const items = skus.map((sku, i) => ({ sku, quantity: 2_000, perUser, shards: i + 1 }));
      const stock = Stock.create({
        items: items.map((item) => (shop.isOfGroup(item.sku) ? { ...item, group: group.name } : item)),
        groups: [group],
        holdMs: 1_000,
        maxReservations: 4_096,
        maxUsers: 1 << 19,
        maxIds: 1 << 20,
        movements: 1 << 17,
      });
      const gate = Gate.create({ queue, limiter, stock, fields, maxInHand: 64 });
      const memory = new SoakMemory();
      const random = new SeededRandom(seed);
      const operator = new Operator(shop, stock, random);

      const books = new Books();
      const reading = new AbortController();
      const read = (async () => {
        for await (const movement of stock.movements({ signal: reading.signal })) books.add(movement);
      })().catch(() => {}); // aborted

      let started = 0;
      const start = (name: keyof typeof programs): WorkerThread =>
        new WorkerThread(programs[name], {
          handle: gate.handle,
          shared: memory.buffer,
          seed: seed + ++started,
          texts: shop.texts,
        });
      const threads = Array.from({ length: admitters }, () => start('admitter'));
      threads.push(start('consumer'), start('clerk'));
      let terminated = 0;
      let again = 0;
      const waits: Promise<unknown>[] = [];
      const ended = { empty: 0, ERR_SLUICE_TIMEOUT: 0 } as Record<string, number>;
      const awaitEmpty = (timeoutMs: number): void => {
        const wait = queue.empty({ timeoutMs }).then(
          () => 'empty',
          ({ code }) => String(code),
        );
        waits.push(wait.then((end) => (ended[end] = (ended[end] ?? 0) + 1)));
      };
      const fails = (): unknown =>
        memory.violation || books.problems[0] || threads.find(({ failure }) => failure)?.failure;
      try {
        const end = performance.now() + seconds * 1_000;
        while (performance.now() < end && !fails()) {
          await sleep(replacedEveryMs);
          const which = random.chance(0.4)
            ? random.between(admitters, threads.length - 1)
            : random.below(admitters);
          await threads[which]?.terminate();
          terminated++;
          threads[which] = start(which < admitters ? 'admitter' : which === admitters ? 'consumer' : 'clerk');
          operator.act();
          awaitEmpty(random.between(1, 2_000));
          stock.audit();
          if (terminated % 10 === 5) again += await requeued(shop, stock, random);
        }
        expect(fails(), replay).toBeUndefined();
        operator.end();
        memory.stop();
        await Promise.all(threads.slice(0, admitters).map(({ exited }) => exited));
      } finally {
        await Promise.all(threads.map((thread) => thread.terminate()));
      }
      expect([memory.violation, books.problems], replay).toEqual([0, []]);

      // A consumer that is not terminated handles the rest.
      const last = queue.empty();
      queue.close();
      await gate.consume(handler(shop, memory, random, sleep, stock), { concurrency: 16 });
      await Promise.all([last, ...waits]);
      expect(Object.keys(ended), replay).toEqual(['empty', 'ERR_SLUICE_TIMEOUT']);
      const { pushed, popped, expired, dropped, depth } = queue.stats();
      const { admitted, inHand, redelivered } = gate.stats();
      expect([depth, inHand, limiter.stats().inFlight], replay).toEqual([0, 0, 0]);
      expect([pushed, limiter.stats().allowed, stock.stats().reserved], replay).toEqual([
        admitted,
        admitted,
        admitted,
      ]);
      expect(popped + expired + dropped, replay).toBe(pushed);
      // Delivery is at least once: every order that left the queue for a handler was handled once or more.
      const times = memory.handled.subarray(0, memory.ids);
      const handled = times.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0);
      const handlings = times.reduce((sum, count) => sum + count, 0);
      expect(handled, replay).toBe(popped);
      expect(handlings, replay).toBeLessThanOrEqual(popped + redelivered);

      expect(stock.audit().held, replay).toBe(0);
      await settled(books, admitted);
      reading.abort();
      await read;
      expect([books.problems, books.held, books.reservations], replay).toEqual([[], 0, admitted]);
      // Only at the end: a return by user may be logged before a confirmation that another thread has just made.
      const overReturned = [...books.soldTo].filter(([, units]) => units < 0);
      expect(overReturned, replay).toEqual([]);
      for (const sku of skus) {
        const sold = books.sold.get(sku) ?? 0;
        const total = operator.totals.get(sku) ?? 0;
        const backorder = operator.backorders.get(sku) ?? 0;
        expect(books.totals.get(sku), replay).toBe(total);
        expect(stock.counts(sku), replay).toEqual({
          total,
          available: Math.max(0, total - sold),
          reserved: 0,
          sold,
          ...(backorder > 0 && { backorder, backordered: Math.max(0, sold - total) }),
        });
      }
      expectUsers(shop, stock, books, memory.ids, random);
      stock.audit();
      console.log(
        `${seconds} s: ${admitted} admitted, ${popped} handled (${redelivered} again), ${expired} expired in the ` +
          `queue, ${JSON.stringify(books.ends)}, ${JSON.stringify(stock.stats())}, up to ${operator.backordered} backordered, ${again} queued again, ${ended['empty']} of ${waits.length} waits saw it empty, ${terminated} terminated`,
      );
      for (const object of [gate, stock, limiter, queue]) object[Symbol.dispose]();
    },
  );
});

/** Waits until the books have the movements of every reservation and of its end. */
async function settled(books: Books, reservations: number): Promise<void> {
  while (books.reservations < reservations || books.held > 0) {
    if (books.problems.length > 0) return;
    await sleep(10);
  }
}

/** Checks, for some users and items, that the user can reserve exactly the units up to the limit, and no more. */
function expectUsers(shop: Shop, stock: Stock, books: Books, ids: number, random: SeededRandom): void {
  const { skus } = shop;
  for (const sku of skus) stock.restock(sku, 100);
  for (let i = 0; i < 500; i++) {
    const user = shop.userOf(random.below(ids));
    const bought = (sku: number | string): number => books.soldTo.get(`${user} ${sku}`) ?? 0;
    for (const sku of skus) {
      const ofPair = bought(skus[0] as number) + bought(skus[1] as number);
      const ofGroup = shop.isOfGroup(sku) ? group.perUser - ofPair : perUser;
      const left = Math.min(perUser - bought(sku), ofGroup);
      const over = stock.reserve({ sku, quantity: left + 1, user });
      expect(over, `${replay}: user ${user}, sku ${sku}`).toEqual({ ok: false, reason: 'user-limit' });
      if (left === 0) continue;
      const exact = stock.reserve({ sku, quantity: left, user });
      expect(exact.ok, `${replay}: user ${user}, sku ${sku}, ${left} left`).toBe(true);
      if (exact.ok) stock.cancel(exact.reservation);
    }
  }
}
