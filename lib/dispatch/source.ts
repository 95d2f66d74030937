import { Gate, type Hold, insideGate, type OrderLoop } from '../gate/index.js';
import { optionError } from '../input/index.js';
import { insideQueue, type Limits, Queue, type QueueInside } from '../queue/index.js';
import type { RecordType } from '../record/index.js';
import type { Stock } from '../stock/index.js';

/** An order that was taken from the source, and not decided yet. */
export interface Taken<T> {
  readonly order: T;
  /** Undefined without a stock. */
  readonly reservation: bigint | undefined;
  /** How often earlier consumers gave it to a handler. */
  readonly earlier: number;
  /** Whether it is in the store behind the queue's ring: the next process gets it if it is never settled. */
  readonly stored: boolean;
  /** Confirms or cancels it; it leaves the store. */
  settle(confirm: boolean): void;
  /** Puts it back as if it had not been taken. */
  putBack(): void;
}

/** Where a crew takes its orders from: a gate or a queue. */
export interface Source<T> {
  readonly record: RecordType<T>;
  readonly stock: Stock | undefined;
  /** The most orders that may be taken and not decided. */
  readonly maxInHand: number;
  /**
   * Gives each order to `take`, until the source is closed and drained and each promise of `take` is resolved. When
   * `signal` aborts, it takes no more, waits for these promises, and rejects with the signal's reason.
   */
  consume(
    take: (taken: Taken<T>) => Promise<void>,
    limits: Limits,
    batchSize: number,
    signal: AbortSignal,
  ): Promise<void>;
}

/** The most orders in hand of a queue, and as many as a gate has by default. */
const queueInHandMax = 65_536;

export function sourceOf<T>(source: unknown): Source<T> {
  if (source instanceof Queue) return new QueueSource(source as Queue<T>);
  const inside = insideGate(source as Gate<T>);
  if (inside === undefined || !(source instanceof Gate)) {
    throw optionError('dispatch: source', 'a Gate or a Queue', source, true);
  }
  return new GateSource(source as Gate<T>, inside);
}

class GateSource<T> implements Source<T> {
  readonly record: RecordType<T>;
  readonly stock: Stock | undefined;
  readonly maxInHand: number;
  readonly #loop: OrderLoop<T>;

  constructor(gate: Gate<T>, { loop, stock, maxInHand }: NonNullable<ReturnType<typeof insideGate<T>>>) {
    this.record = gate.queue.record;
    this.stock = stock;
    this.maxInHand = maxInHand;
    this.#loop = loop;
  }

  consume(
    take: (taken: Taken<T>) => Promise<void>,
    limits: Limits,
    batchSize: number,
    signal: AbortSignal,
  ): Promise<void> {
    const loop = this.#loop;
    return loop.consumeBy((order, hold) => take(fromGate(loop, order, hold)), batchSize, limits, signal);
  }
}

function fromGate<T>(loop: OrderLoop<T>, order: T, hold: Hold): Taken<T> {
  return {
    order,
    reservation: hold.reservation,
    earlier: hold.deliveries - 1,
    stored: loop.isStored(hold.reservation),
    settle(confirm) {
      if (confirm) hold.confirm();
      else hold.cancel();
    },
    putBack: () => loop.putBack(hold),
  };
}

class QueueSource<T> implements Source<T> {
  readonly record: RecordType<T>;
  readonly stock: undefined;
  readonly maxInHand = queueInHandMax;
  readonly #consumer: QueueInside<T>['consumer'];
  readonly #layer: QueueInside<T>['layer'];

  constructor(queue: Queue<T>) {
    this.record = queue.record;
    const { consumer, layer } = insideQueue(queue);
    this.#consumer = consumer;
    this.#layer = layer;
  }

  async consume(
    take: (taken: Taken<T>) => Promise<void>,
    limits: Limits,
    _batchSize: number,
    signal: AbortSignal,
  ): Promise<void> {
    const by = {
      owner: this,
      // One at a time: a queue has no place for an order that was taken and reached no handler.
      take: () => this.#take(),
      handle: (taken: Taken<T>) => take(taken),
      between: () => {},
      timedOut: () => {}, // the limits have no time
      leaving: () => {},
    };
    await this.#consumer.consumeBy(by, limits, signal);
  }

  #take(): Array<Taken<T>> {
    const take = (): T[] => this.#consumer.popMany(1);
    const { batch, held } = this.#layer?.taking(take) ?? { batch: take(), held: undefined };
    if (batch.length === 0) held?.ended();
    return batch.map((order) => ({
      ...{ order, reservation: undefined, earlier: held?.earlier ?? 0, stored: held !== undefined },
      settle: () => held?.ended(),
      putBack() {}, // the queue has no place for it
    }));
  }
}
