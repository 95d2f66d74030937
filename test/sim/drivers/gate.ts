import {
  Gate,
  type GateOptions,
  type Hold,
  type Infer,
  Queue,
  type QueueOptions,
  type RecordType,
  record,
  u16,
  u32,
  u53,
  utf8,
} from 'sluice';
import { keyText } from '../auditor/cart.js';
import { type Admission, GateAuditor, type Queued } from '../auditor/gate.js';
import { codeOf, Divergence, holds, outcome, same, sameWait } from '../divergence.js';
import type { Driver, Operation, Random } from '../operation.js';
import { aborted, inTime } from '../waits.js';
import { type Asked, type Consume, type Decision, drawGate, type GateOperation } from './gate-operations.js';
import type { LimiterDriver } from './limiter.js';
import type { StockDriver } from './stock.js';
import type { Time } from './time.js';

export interface GateScenario {
  readonly capacity: number;
  readonly ttlMs: number;
  readonly overflow: 'reject' | 'drop-oldest' | 'overwrite';
  readonly limited: boolean;
  readonly stocked: boolean;
  /** Whether the record has a user (`user`), and an id of the request (`id`). */
  readonly user: boolean;
  readonly id: boolean;
  /** Whether the ids, users and skus in records are texts. */
  readonly texts: boolean;
  readonly commit: boolean;
  /** Whether the record has a sku and a quantity; if not, every order is a cart. */
  readonly ofOneItem: boolean;
  readonly maxInHand: number;
  /** Whether the ledger is often restored while orders wait. */
  readonly restarts: boolean;
  readonly objects: number;
  readonly weights: Readonly<Record<string, number>>;
}

const NumberedOrder = record({ id: u53, user: u53, sku: u32, quantity: u16, mark: u53 });
const NamedOrder = record({ id: utf8(300), user: utf8(8), sku: utf8(8), quantity: u16, mark: u53 });
/** An order as a gate's record. */
type GivenOrder = Infer<typeof NumberedOrder> | Infer<typeof NamedOrder>;
const skuTexts: Readonly<Record<number, string>> = { 1: 'one', 2: '1' };
export interface Order {
  readonly id: number;
  readonly user: number;
  readonly sku: number;
  readonly quantity: number;
  readonly mark: number;
}

/** A gate with several objects, beside its auditor, over the limiter and the stock of the other drivers. */
export class GateDriver implements Driver {
  readonly auditor: GateAuditor<Order>;
  readonly #record: RecordType<GivenOrder>;
  readonly #queue: Queue<GivenOrder>;
  readonly #stock: StockDriver | undefined;
  readonly #limiter: LimiterDriver | undefined;
  #objects: Gate<GivenOrder>[] = [];
  /** The last orders, to be admitted again. */
  readonly #asked: Asked[] = [];

  constructor(
    readonly scenario: GateScenario,
    readonly time: Time,
    stock: StockDriver | undefined,
    limiter: LimiterDriver | undefined,
  ) {
    const { capacity, ttlMs, overflow } = scenario;
    this.#stock = scenario.stocked ? stock : undefined;
    this.#limiter = scenario.limited ? limiter : undefined;
    const dropOldest = overflow === 'drop-oldest';
    const overwrites = overflow === 'overwrite';
    const shape = { capacity, lanes: 1, weights: [20], dropOldest, overwrites, maxWaiting: 0 };
    this.auditor = new GateAuditor(
      shape,
      scenario.maxInHand,
      () => this.#stock?.auditor,
      this.#limiter?.auditor,
    );
    this.#record = (scenario.texts ? NamedOrder : NumberedOrder) as unknown as RecordType<GivenOrder>;
    const options: QueueOptions<GivenOrder> = {
      capacity,
      commit: scenario.commit,
      clock: time.clock,
      ...(ttlMs !== 0 && { ttlMs }),
      overflow,
    };
    this.#queue = Queue.create(this.#record, options);
    this.#open();
    this.#stock?.onReplaced.push(() => {
      this.#shut();
      this.auditor.replaced(time.now);
      this.#open();
    });
  }

  draw(random: Random, name: number): Operation | undefined {
    const { lanes, depth } = this.auditor.queue;
    const admitted = lanes.some(({ entries }) => entries.some(({ value }) => value.admitted));
    return drawGate(random, name, this.scenario, { depth, admitted }, this.#asked, this.#stranded());
  }

  async run(operation: Operation): Promise<void> {
    const given = operation as GateOperation;
    const gate = this.#objects[given.by % this.#objects.length] as Gate<GivenOrder>;
    switch (given.do) {
      case 'admit': {
        const holdNs = Math.round((given.holdMs ?? this.#stock?.auditor.holdMs ?? 1) * 1e6);
        const order = this.#given(given.order);
        const { sku, quantity, user, id } = order;
        const request = {
          lines: given.lines ?? [{ sku, quantity }],
          cart: given.lines !== undefined,
          keyAt: given.key ?? 0,
          user: this.scenario.user ? keyText(user) : undefined,
          id: this.scenario.id ? keyText(id) : undefined,
          holdNs,
        };
        const now = this.time.now;
        const expected = this.auditor.admit(given.name, given.order, this.#deadline(), request, now);
        const key = this.#limiter?.key(request.keyAt);
        const { holdMs, lines } = given;
        this.#asked.push({ order: given.order, ...(lines !== undefined && { lines }) });
        if (this.#asked.length > 30) this.#asked.shift();
        const options = {
          ...(holdMs !== undefined && { holdMs }),
          ...(lines !== undefined && { lines }),
          ...(key !== undefined && { key }),
        };
        // Without any option, `admit` makes a different call of the addon.
        const without = Object.keys(options).length === 0;
        return this.#compare(
          expected,
          outcome(() => (without ? gate.admit(order) : gate.admit(order, options))),
        );
      }
      case 'pushPast': {
        const taken = this.auditor.pushPast(given.order, this.#deadline(), this.time.now);
        const expected = taken ?? { error: 'ERR_SLUICE_CLOSED' };
        return same(
          'push past the gate',
          outcome(() => gate.queue.tryPush(this.#given(given.order))),
          expected,
        );
      }
      case 'consume':
        return this.#consume(gate, given.by % this.#objects.length, given);
      case 'close':
        return same("close of the gate's queue", gate.queue.close(), this.auditor.queue.close());
      case 'restart':
        return this.#stock?.restart(given.name);
      case 'die':
        return this.#replace(given.by % this.#objects.length);
    }
  }

  /** Returns the orders of a restored ledger that are held and in no queue: the first repetition queues them again. */
  #stranded(): readonly Asked[] {
    const ledger = this.#stock?.auditor;
    return this.#asked.filter(({ order: asked, lines }) => {
      const order = this.#given(asked);
      const who = { user: this.scenario.user ? keyText(order.user) : undefined, id: keyText(order.id) };
      return ledger?.stranded(lines ?? [order], { ...who, byGate: true }, this.time.now) !== undefined;
    });
  }

  async settle(): Promise<void> {}

  check(): void {
    const { counters, queue, inHand } = this.auditor;
    same('stats of the gate', this.#objects[0]?.stats(), {
      ...counters,
      inHand: inHand.orders.length,
      redelivered: inHand.redelivered,
    });
    const { depth, pushed, popped, expired, dropped, rejected } = this.#queue.stats();
    const { waitersRefused: _, ...expectedQueue } = queue.counters;
    same(
      "stats of the gate's queue",
      { depth, pushed, popped, expired, dropped, rejected },
      { ...expectedQueue, depth: queue.depth },
    );
    holds(
      'pushed = popped + expired + dropped + depth at the gate',
      pushed === popped + expired + dropped + depth,
    );
  }

  dueTimes(): number[] {
    return this.auditor.queue.lanes
      .flatMap(({ entries }) => entries.map(({ deadline }) => deadline))
      .filter(Number.isFinite);
  }

  dispose(): void {
    this.#shut();
    this.#queue[Symbol.dispose]();
  }

  #given({ id, user, sku, ...rest }: Order): GivenOrder {
    if (!this.scenario.texts) return { id, user, sku, ...rest };
    return { id: `order ${id}`, user: String(user), sku: skuTexts[sku] ?? String(sku), ...rest };
  }

  #deadline(): number {
    const { ttlMs } = this.scenario;
    return ttlMs === 0 ? Number.POSITIVE_INFINITY : this.time.now + Math.round(ttlMs * 1e6);
  }

  #open(): void {
    const { user, id, ofOneItem, maxInHand, objects, commit } = this.scenario;
    const fields = {
      ...(ofOneItem && { sku: 'sku' as const, quantity: 'quantity' as const }),
      ...(user && { user: 'user' as const }),
      ...(id && { id: 'id' as const }),
    } as const;
    const stock = this.#stock?.object(0);
    const limiter = this.#limiter?.object(0);
    const options: GateOptions<GivenOrder> = {
      queue: this.#queue,
      maxInHand,
      commit,
      ...(limiter && { limiter }),
      ...(stock && { stock, fields }),
    };
    const creator = Gate.create(options);
    // The creator shares the objects of other drivers, which may be disposed of: so it only creates the gate, and the
    // objects that the operations use attach to it.
    this.#objects = Array.from({ length: objects }, () => Gate.attach(this.#record, creator.handle));
    creator[Symbol.dispose]();
  }
  #shut(): void {
    for (const gate of this.#objects) disposeOf(gate);
  }
  #replace(by: number): void {
    const other = this.#objects[(by + 1) % this.#objects.length] as Gate<GivenOrder>;
    disposeOf(this.#objects[by] as Gate<GivenOrder>);
    this.#objects[by] = Gate.attach(this.#record, other.handle);
  }

  #compare(expected: Admission, actual: unknown): void {
    if ('retryAfterNs' in expected) {
      const { retryAfterNs, ...rest } = expected;
      const { retryAfterMs, ...others } = actual as { retryAfterMs: number };
      same('admit', others, rest);
      const waiting = this.#limiter?.auditor.waiting ?? 0;
      if (waiting === 0) {
        sameWait('admit: retryAfterMs', retryAfterMs, retryAfterNs);
        return;
      }
      holds('admit: retryAfterMs is no less than without waiters', retryAfterMs >= retryAfterNs / 1e6);
      return;
    }
    if (!('name' in expected)) {
      same('admit', actual, expected);
      return;
    }
    const { name, ...rest } = expected;
    const { reservation } = actual as { reservation?: bigint };
    const isNew = 'duplicate' in expected && !expected.duplicate;
    if (isNew && name !== undefined) this.#stock?.remember(name, reservation);
    const known = name === undefined ? 0n : this.#stock?.reservation(name);
    same('admit', actual, { ...rest, reservation: known });
  }

  async #consume(
    gate: Gate<GivenOrder>,
    by: number,
    { batchSize, decisions, givesUp = false }: Consume,
  ): Promise<void> {
    const { auditor } = this;
    const controller = new AbortController();
    let divergence: unknown;
    let batch: Array<Queued<Order>> = [];
    let handled = 0;
    let died = false;
    let givenUp: Hold | undefined;
    // Orders that no handler was given wait for the next consumer.
    const putBack = (): void => auditor.inHand.putBack(batch.splice(0));
    const handle = (order: GivenOrder, hold: Hold): unknown => {
      if (batch.length === 0) batch = auditor.take(batchSize, this.time.now);
      const decision = decisions[handled++] ?? { how: 'return', quantity: 1, jumpNs: 0, renews: false };
      const expected = batch.shift();
      if (expected === undefined) throw new Divergence('an order comes out of an empty queue');
      same('an order', order, this.#given(expected.order));
      const reservation =
        expected.reservation === undefined ? undefined : this.#stock?.reservation(expected.reservation);
      same('the reservation of an order', hold.reservation, reservation);
      same('deliveries of an order', hold.deliveries, auditor.inHand.deliveries(expected));
      this.time.advance(decision.jumpNs);
      if (decision.renews) same('renew', gate.renew(), auditor.renew(this.time.now) / 1e6);
      if (decision.how === 'die') {
        died = true;
        putBack();
        gate[Symbol.dispose]();
        return undefined;
      }
      const hangs = decision.how === 'hang';
      if (hangs && givesUp) {
        givenUp = hold;
        same('the signal of a hold', hold.signal.aborted, false);
        putBack();
        controller.abort(aborted);
        same('why a hold is given up', hold.signal.reason, aborted);
        return new Promise(() => {});
      }
      if (decision.how === 'confirmPart') {
        const { quantity } = decision;
        const sold = auditor.sell(expected, quantity, this.time.now);
        same(
          'hold.confirm of a part',
          outcome(() => hold.confirm({ quantity })),
          sold === 'ERR_SLUICE_OPTION' ? { error: sold } : sold,
        );
        if (sold !== 'ERR_SLUICE_OPTION') return end(decision);
      }
      const confirm = ['return', 'confirm', 'confirmPart'].includes(decision.how);
      const resolution = auditor.resolve(expected, confirm, this.time.now);
      if (decision.how === 'confirm') same('hold.confirm', hold.confirm(), resolution);
      if (decision.how === 'cancel') same('hold.cancel', hold.cancel(), resolution);
      return end(decision);
    };
    const end = ({ how }: Decision): unknown => {
      const last = handled >= decisions.length || !auditor.hasLive(this.time.now);
      if (last) {
        putBack();
        controller.abort(aborted);
      }
      if (how === 'throw') throw new Error('thrown by a handler');
      return how === 'hang' ? new Promise(() => {}) : undefined;
    };
    const limits = givesUp ? { graceMs: 0 } : { handlerTimeoutMs: 1, graceMs: Number.POSITIVE_INFINITY };
    const consumed = gate.consume(
      (order, hold) => {
        try {
          return handle(order, hold);
        } catch (error) {
          if (error instanceof Error && error.message === 'thrown by a handler') throw error;
          divergence ??= error;
          controller.abort(aborted);
          return undefined;
        }
      },
      { batchSize, signal: controller.signal, ...limits },
    );
    const ended = consumed.then(
      () => 'ended',
      (error: unknown) => (error === aborted ? 'aborted' : { error: codeOf(error) }),
    );
    auditor.inHand.begin();
    if (!auditor.hasLive(this.time.now)) {
      // No order will come. The consumer drops what is due. It then sleeps until the signal aborts, or ends because the
      // queue is closed.
      auditor.take(batchSize, this.time.now);
      await new Promise((resolve) => setImmediate(resolve));
      controller.abort(aborted);
    }
    const how = await inTime(ended, 'consume should have ended');
    if (divergence !== undefined) throw divergence;
    same('records that should have been handed out', batch.length, 0);
    const drained = auditor.queue.closed && auditor.queue.depth === 0 && handled === 0;
    same('the end of consume', how, died ? { error: 'ERR_SLUICE_DISPOSED' } : drained ? 'ended' : 'aborted');
    if (givenUp !== undefined) {
      const late = outcome(() => givenUp?.confirm());
      same('a hold that was given up', late, { error: 'ERR_SLUICE_CONSUMER' });
    }
    if (died) this.#replace(by);
  }
}

/** Disposes of the gate, and of the queue, limiter and stock objects that it was attached with. */
function disposeOf(gate: Gate<GivenOrder>): void {
  gate[Symbol.dispose]();
  gate.queue[Symbol.dispose]();
  gate.limiter?.[Symbol.dispose]();
  gate.stock?.[Symbol.dispose]();
}
