import { Gate, type Infer, Limiter, Queue, Stock } from 'sluice';
import { type Crew, type DeadLetter, type DispatchOptions, dispatch } from 'sluice/dispatch';
import { expect } from 'vitest';
import { Entry, fields, lateAnswers, Work } from './work.js';

type EntryValue = Infer<typeof Entry>;

export type Order = Infer<typeof Work>;

export const handler = new URL('./workers/work-handler.js', import.meta.url);
/** Short waits, so that tests are fast. */
const soon = { baseMs: 5, factor: 2, maxMs: 40 };

/** A gate with a stock and a limiter, and a crew that handles its orders. */
export class Shop {
  readonly queue: Queue<Order> = Queue.create(Work, { capacity: 65_536 });
  readonly limiter: Limiter = Limiter.create({ queueDepth: { max: 1_000_000 } });
  readonly stock: Stock;
  readonly gate: Gate<Order>;
  readonly book: Queue<EntryValue> = Queue.create(Entry, { capacity: 1_000_000 });
  readonly dead: DeadLetter<Order>[] = [];
  #entries: EntryValue[] = [];

  constructor(options: { holdMs?: number } = {}) {
    this.stock = Stock.create({
      items: [{ sku: 1, quantity: 1_000_000 }],
      maxReservations: 200_000,
      ...options,
    });
    const { queue, limiter, stock } = this;
    this.gate = Gate.create({ queue, limiter, stock, fields });
  }

  admit(orders: Iterable<Order>): void {
    for (const order of orders) expect(this.gate.admit(order).outcome).toBe('admitted');
  }

  dispatch(options: Partial<DispatchOptions<Order>> = {}): Crew<Order> {
    return this.#dispatch(this.gate, options);
  }

  /** As dispatch(), from the queue past the gate. */
  dispatchQueue(options: Partial<DispatchOptions<Order>> = {}): Crew<Order> {
    return this.#dispatch(this.queue, options);
  }

  #dispatch(source: Gate<Order> | Queue<Order>, options: Partial<DispatchOptions<Order>>): Crew<Order> {
    return dispatch(source, {
      workers: 2,
      handler,
      data: this.book.handle,
      deadLetters: (letter) => this.dead.push(letter),
      retries: { max: 3, backoff: soon },
      ...options,
    });
  }

  /** Handles all orders that were admitted. */
  async handleAll(options: Partial<DispatchOptions<Order>> = {}): Promise<Crew<Order>> {
    const crew = this.dispatch(options);
    this.queue.close();
    await crew.done;
    return crew;
  }

  /** What the handlers have written until now. */
  get entries(): readonly EntryValue[] {
    this.#entries.push(...this.book.popMany(65_536));
    return this.#entries;
  }

  /** How often a handler was given an order so far. */
  get begun(): number {
    return this.entries.filter(({ event }) => event === 'begin').length;
  }

  /** The deliveries with which the handler of an order began. */
  deliveriesOf(id: number): number[] {
    return this.entries
      .filter((entry) => entry.event === 'begin' && entry.id === id)
      .map((entry) => entry.deliveries);
  }

  /** What handlers were answered that decided too late. */
  get late(): unknown[] {
    return this.entries.filter(({ event }) => event === 'late').map(({ id }) => lateAnswers[id]);
  }

  /** The ids of dead letters, in ascending order. */
  get deadIds(): number[] {
    return this.dead.map(({ order }) => order.id).sort((a, b) => a - b);
  }

  /** Checks that `sold` units are sold, that nothing is held any more, and that all books agree. */
  expectSettled(sold: number): void {
    this.stock.audit();
    expect(this.stock.counts(1)).toMatchObject({ sold, reserved: 0 });
    expect(this.gate.stats()).toMatchObject({ inHand: 0 });
    expect(this.limiter.stats().inFlight).toBe(0);
  }
}
