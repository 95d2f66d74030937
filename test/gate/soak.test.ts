import { setTimeout as sleep } from 'node:timers/promises';
import { Gate, Limiter, type Movement, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { SeededRandom } from '../seeded-random.js';
import { WorkerThread } from '../worker-thread.js';
import { fields, handler, Order, perUser, SoakMemory, skus, userOf } from './soak.js';

/** `npm run soak` for longer: `SLUICE_SOAK_SECONDS=180 npm run soak`. */
const seconds = Number(process.env['SLUICE_SOAK_SECONDS'] ?? 20);
const admitters = 4;
const replacedEveryMs = 200;

/**
 * The ledger as its movements tell it, in books of our own: each unit of a reservation ends exactly once. Units that
 * came from several shards of their item are told in parts.
 */
class Books {
  readonly sold = new Map<number | string, number>();
  readonly soldTo = new Map<string, number>();
  readonly problems: string[] = [];
  readonly ends = { confirmed: 0, returned: 0, cancelled: 0, expired: 0 };
  reservations = 0;
  readonly #open = new Map<string, number>();

  get held(): number {
    return this.#open.size;
  }

  add(movement: Movement | { kind: 'lost'; count: number }): void {
    if (movement.kind === 'lost') {
      this.problems.push(`${movement.count} movements were lost: the books are worthless`);
      return;
    }
    if (movement.reservation === undefined) return;
    const { kind, sku, quantity, reservation, user } = movement;
    const line = `${reservation} ${sku}`;
    if (kind === 'reserved') {
      // All lines of a cart are told before any of them ends.
      if (!skus.some((other) => this.#open.has(`${reservation} ${other}`))) this.reservations++;
      this.#open.set(line, (this.#open.get(line) ?? 0) + quantity);
      return;
    }
    const left = (this.#open.get(line) ?? 0) - quantity;
    if (left < 0) this.problems.push(`${kind} although not held: ${line}`);
    if (left === 0) this.#open.delete(line);
    else this.#open.set(line, left);
    this.ends[kind as keyof Books['ends']]++;
    if (kind !== 'confirmed') return;
    this.sold.set(sku, (this.sold.get(sku) ?? 0) + quantity);
    const buyer = `${user} ${sku}`;
    this.soldTo.set(buyer, (this.soldTo.get(buyer) ?? 0) + quantity);
  }
}

describe('a gate under load', () => {
  it(`has exact totals after ${seconds} s in which its threads, the consumer too, are terminated all the time`, {
    timeout: seconds * 1_000 + 120_000,
  }, async () => {
    const queue = Queue.create(Order, { capacity: 512, ttlMs: 900 });
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1_500, burst: 200 },
      queueDepth: { max: 150 },
      keys: { max: 64 },
    });
    const stock = Stock.create({
      items: skus.map((sku) => ({ sku, quantity: 2_000, perUser, shards: sku })),
      holdMs: 1_000,
      maxReservations: 4_096,
      maxUsers: 1 << 19,
      maxIds: 1 << 20,
      movements: 1 << 17,
    });
    const gate = Gate.create({ queue, limiter, stock, fields, maxInHand: 64 });
    const memory = new SoakMemory();
    const random = new SeededRandom(seed);
    const total = new Map(skus.map((sku) => [sku, 2_000]));

    const books = new Books();
    const reading = new AbortController();
    const read = (async () => {
      for await (const movement of stock.movements({ signal: reading.signal })) books.add(movement);
    })().catch(() => {}); // aborted

    let started = 0;
    const start = (name: string): WorkerThread => {
      const url = new URL(`./workers/soak-${name}.js`, import.meta.url);
      return new WorkerThread(url, { handle: gate.handle, shared: memory.buffer, seed: seed + ++started });
    };
    const threads = Array.from({ length: admitters }, () => start('admitter'));
    threads.push(start('consumer'));
    let terminated = 0;
    const fails = (): unknown =>
      memory.violation || books.problems[0] || threads.find(({ failure }) => failure);
    try {
      const end = performance.now() + seconds * 1_000;
      while (performance.now() < end && !fails()) {
        await sleep(replacedEveryMs);
        const which = random.chance(0.25) ? admitters : random.below(admitters);
        await threads[which]?.terminate();
        terminated++;
        threads[which] = start(which === admitters ? 'consumer' : 'admitter');
        const sku = random.pick(skus);
        const more = random.between(1, 400);
        stock.restock(sku, more);
        total.set(sku, (total.get(sku) ?? 0) + more);
        stock.audit();
        for (const each of skus) {
          const counts = stock.counts(each);
          const sum = counts.available + counts.reserved + counts.sold;
          expect([sum, counts.total], replay).toEqual([total.get(each), total.get(each)]);
        }
      }
      memory.stop();
      await Promise.all(threads.slice(0, admitters).map(({ exited }) => exited));
    } finally {
      await Promise.all(threads.map((thread) => thread.terminate()));
    }
    expect([memory.violation, books.problems], replay).toEqual([0, []]);

    // What is left is handled by one that nobody terminates.
    queue.close();
    await gate.consume(handler(memory, random, sleep), { concurrency: 16 });
    const { pushed, popped, expired, dropped, depth } = queue.stats();
    const { admitted, inHand, redelivered } = gate.stats();
    expect([depth, inHand, limiter.stats().inFlight], replay).toEqual([0, 0, 0]);
    expect([pushed, limiter.stats().allowed, stock.stats().reserved], replay).toEqual([
      admitted,
      admitted,
      admitted,
    ]);
    expect(popped + expired + dropped, replay).toBe(pushed);
    // At least once: as many different orders were handled as ever left the queue for a handler.
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
    for (const sku of skus) {
      const sold = books.sold.get(sku) ?? 0;
      const all = total.get(sku) ?? 0;
      expect(stock.counts(sku), replay).toEqual({ total: all, available: all - sold, reserved: 0, sold });
    }
    expectUsers(stock, books, memory.ids, random);
    stock.audit();
    console.log(
      `${seconds} s: ${admitted} admitted, ${popped} handled (${redelivered} again), ${expired} expired in the ` +
        `queue, ${JSON.stringify(books.ends)}, ${stock.stats().extended} renewed, ${terminated} terminated`,
    );
    for (const object of [gate, stock, limiter, queue]) object[Symbol.dispose]();
  });
});

/** Waits until the books have been told of everything. */
async function settled(books: Books, reservations: number): Promise<void> {
  while (books.reservations < reservations || books.held > 0) {
    if (books.problems.length > 0) return;
    await sleep(10);
  }
}

/** Of each of some users and items exactly what is missing to the limit can still be reserved. */
function expectUsers(stock: Stock, books: Books, ids: number, random: SeededRandom): void {
  for (const sku of skus) stock.restock(sku, 100);
  for (let i = 0; i < 500; i++) {
    const user = userOf(random.below(ids));
    for (const sku of skus) {
      const left = perUser - (books.soldTo.get(`${user} ${sku}`) ?? 0);
      const over = stock.reserve({ sku, quantity: left + 1, user });
      expect(over, `${replay}: user ${user}, sku ${sku}`).toEqual({ ok: false, reason: 'user-limit' });
      if (left === 0) continue;
      const exact = stock.reserve({ sku, quantity: left, user });
      expect(exact.ok, `${replay}: user ${user}, sku ${sku}, ${left} left`).toBe(true);
      if (exact.ok) stock.cancel(exact.reservation);
    }
  }
}
