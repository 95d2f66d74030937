import { Delays, type Timing } from '../../dist/dispatch/delays.js';
import type { Report } from '../../dist/dispatch/envelope.js';
import type { Job } from '../../dist/dispatch/job.js';
import type { Checked } from '../../dist/dispatch/options.js';
import { Router } from '../../dist/dispatch/router.js';
import type { Seat } from '../../dist/dispatch/seat.js';
import { LinkedList } from '../../dist/linked-list.js';

export interface Order {
  readonly id: number;
  readonly key?: unknown;
}

/** A worker without a thread: tests say what it reports, and when it ends. */
class FakeSeat {
  readonly out = new Map<number, Job<Order>>();
  readonly waiting = new LinkedList<Job<Order>>();
  isAlone = false;
  isUp = true;
  handled = 0;
  heardAt = 0;
  /** The numbers of the orders that it was sent. */
  readonly sent: number[] = [];
  refuse: ((order: Order) => void) | undefined;

  constructor(
    readonly index: number,
    readonly places: number,
  ) {}

  get hasPlace(): boolean {
    return this.isUp && !this.isAlone && this.out.size < this.places;
  }

  send(job: Job<Order>): void {
    this.refuse?.(job.taken.order);
    this.sent.push(job.taken.order.id);
    this.out.set(job.ticket, job);
  }

  heard(): void {
    this.heardAt++;
  }
}

/** A router with seats, a source and a clock of this test. All calls that it makes are in `log`. */
export class Routing {
  readonly log: string[] = [];
  readonly errors: unknown[] = [];
  readonly seats: FakeSeat[];
  readonly router: Router<Order>;
  /** What `Stock.find` answers for a reservation. Absent: there is no stock. */
  find: (() => { readonly state: string } | undefined) | undefined;
  /** Takes a dead letter. */
  bury: () => Promise<void> = () => Promise.resolve();
  settle: (confirm: boolean) => void = () => {};
  putBack: () => void = () => {};
  /** What a crew does about an error. */
  fail: () => void = () => {};
  #now = 0;
  readonly #timers = new Map<() => void, number>();

  constructor({ seats = 1, places = 2, retriesMax = 1, by = false } = {}) {
    const timing: Timing = {
      now: () => this.#now,
      after: (ms, call) => {
        this.#timers.set(call, this.#now + ms);
        return () => void this.#timers.delete(call);
      },
    };
    const checked = {
      by: by ? ({ key }: Order) => key : undefined,
      retriesMax,
      backoff: { baseMs: 100, factor: 2, maxMs: 1_000, jitter: 0 },
      bury: ({ order }: { readonly order: Order }) => {
        this.log.push(`bury ${order.id}`);
        return this.bury();
      },
    };
    const find = (): unknown => this.find?.();
    const routing = this;
    const source = {
      get stock() {
        return routing.find && { find };
      },
    };
    this.router = new Router(
      checked as unknown as Checked<Order>,
      source as unknown as ConstructorParameters<typeof Router<Order>>[1],
      new Delays(timing),
      (error) => {
        this.errors.push(error);
        this.fail();
      },
    );
    this.seats = Array.from({ length: seats }, (_, index) => new FakeSeat(index, places));
    this.router.seats = this.seats as unknown as Seat<Order>[];
  }

  /** Gives orders to the router. The log says when each is finished. */
  take(...orders: Array<number | (Order & { readonly earlier?: number })>): void {
    for (const given of orders) {
      const order = typeof given === 'number' ? { id: given } : given;
      const earlier = typeof given === 'number' ? 0 : (given.earlier ?? 0);
      const taken = {
        ...{ order, reservation: BigInt(order.id), earlier, stored: false },
        settle: (confirm: boolean) => {
          this.log.push(`${confirm ? 'confirm' : 'cancel'} ${order.id}`);
          this.settle(confirm);
        },
        putBack: () => {
          this.log.push(`put back ${order.id}`);
          this.putBack();
        },
      };
      void this.router.take(taken).then(() => this.log.push(`finished ${order.id}`));
    }
  }

  seat(index = 0): FakeSeat {
    const seat = this.seats[index];
    if (seat === undefined) throw new Error(`there is no seat ${index}`);
    return seat;
  }

  /** The ticket of an order: orders get 1, 2, ... in the order in which they are taken. */
  report(ticket: number, event: Report['event'], more: Partial<Report> = {}): void {
    const seat = more.seat ?? this.seats.findIndex(({ out }) => out.has(ticket));
    const texts = { name: 'Error', code: '', message: 'failed', stack: '' };
    const all = { ticket, event, confirmed: false, resolution: '', ...texts, ...more };
    this.router.report({ ...all, seat: Math.max(0, seat) });
  }

  /** Ends the worker of a seat. `unstarted`: the tickets that it had not begun. */
  end(index: number, ...unstarted: number[]): void {
    const seat = this.seat(index) as unknown as Seat<Order>;
    this.router.ended(seat, new Set(unstarted), new Error('the worker has ended'));
  }

  /** Lets time pass, and runs what is due then. */
  pass(ms: number): void {
    this.#now += ms;
    for (const [call, at] of [...this.#timers]) {
      if (at > this.#now) continue;
      this.#timers.delete(call);
      call();
    }
  }

  /** Runs what promises call. */
  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The orders that were given back, with their deliveries. */
  get unfinished(): Array<[number, number]> {
    return this.router.unfinished.map(({ order, deliveries }) => [order.id, deliveries]);
  }
}
