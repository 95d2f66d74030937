import { Gate, Limiter, ManualClock, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from './order.js';

function open(quantity = 100, capacity = 10) {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Order, { capacity, clock });
  const limiter = Limiter.create({ queueDepth: { max: 50 }, clock });
  const stock = Stock.create({
    items: [
      { sku: 1, quantity },
      { sku: 2, quantity: 100 },
    ],
    clock,
  });
  const gate = Gate.create({ queue, limiter, stock, fields });
  return { clock, queue, limiter, stock, gate };
}
const direct = { sku: 1, quantity: 1, user: 1, id: 1n };

/** Consumes the one order in the queue, and runs `act` in its handler. */
async function handle(gate: Gate<ReturnType<typeof order>>, act: () => void): Promise<void> {
  const abort = new AbortController();
  const consumed = gate.consume(
    () => {
      abort.abort('done');
      act();
    },
    { signal: abort.signal },
  );
  await expect(consumed).rejects.toBe('done');
}

describe('an id that was reserved directly', () => {
  it('is no order: the gate returns its reservation, and charges and queues nothing', () => {
    const { gate, stock, queue, limiter } = open();
    const first = stock.reserve(direct);
    if (!first.ok) throw new Error(first.reason);
    for (let i = 0; i < 3; i++) {
      expect(gate.admit(order(1))).toStrictEqual({
        outcome: 'reserved-directly',
        reservation: first.reservation,
      });
    }
    expect([queue.depth, limiter.stats().inFlight, stock.counts(1).reserved]).toEqual([0, 0, 1]);
    expect(gate.admit(order(1, { quantity: 2 }))).toEqual({ outcome: 'id-mismatch' });
    expect(stock.reserve(direct)).toMatchObject({
      ok: true,
      duplicate: true,
      reservation: first.reservation,
    });
    expect(stock.confirm(first.reservation)).toBe('confirmed');
    expect(gate.admit(order(1))).toMatchObject({ outcome: 'reserved-directly' });
    expect(gate.stats()).toMatchObject({ admitted: 0, duplicates: 0, otherwiseRefused: 5 });
    stock.audit();
  });

  it('is refused by the gate, too, if the ledger refused it', () => {
    const { gate, stock } = open(0);
    expect(stock.reserve(direct)).toEqual({ ok: false, reason: 'sold-out' });
    stock.restock(1, 1);
    expect(gate.admit(order(1))).toEqual({ outcome: 'already-failed' });
  });

  it.each(['sold out', 'the queue is full', 'the limit is reached'])(
    'gets its reservation from the gate also when %s',
    (how) => {
      const { gate, stock, queue, limiter } = open(2, 1);
      const first = stock.reserve(direct);
      if (how === 'sold out') stock.reserve({ sku: 1, quantity: 1 });
      if (how === 'the queue is full') queue.tryPush(order(9));
      if (how === 'the limit is reached') for (let i = 0; i < 50; i++) limiter.allow();
      expect(gate.admit(order(1))).toEqual({
        outcome: 'reserved-directly',
        reservation: first.ok && first.reservation,
      });
    },
  );
});

describe('an id that a gate admitted', () => {
  it("cannot be reserved directly: the ledger returns the gate's reservation", () => {
    const { gate, stock } = open();
    const admission = gate.admit(order(1));
    const { reservation } = admission as { reservation: bigint };
    const refused = { ok: false, reason: 'admitted-by-gate', reservation };
    expect(stock.reserve(direct)).toStrictEqual(refused);
    expect(stock.reserveAll([{ sku: 1, quantity: 1 }], { user: 1, id: 1n })).toStrictEqual(refused);
    expect(JSON.parse(JSON.stringify(stock.reserve(direct)))).toEqual({
      ...refused,
      reservation: String(reservation),
    });
    expect(stock.reserve({ ...direct, quantity: 2 })).toEqual({ ok: false, reason: 'id-mismatch' });
    expect(stock.counts(1).reserved).toBe(1);
    expect(gate.admit(order(1))).toMatchObject({ outcome: 'admitted', duplicate: true, reservation });
  });

  it("is answered 'held' while it waits or is in hand, and 'confirmed' once it is sold", async () => {
    const { gate, queue } = open();
    const first = gate.admit(order(1));
    expect(first).toStrictEqual({
      outcome: 'admitted',
      reservation: expect.any(BigInt),
      duplicate: false,
      state: 'held',
    });
    expect(gate.admit(order(1))).toStrictEqual({ ...first, duplicate: true });
    await handle(gate, () => {
      expect(gate.admit(order(1))).toStrictEqual({ ...first, duplicate: true });
    });
    expect(gate.admit(order(1))).toStrictEqual({ ...first, duplicate: true, state: 'confirmed' });
    expect(queue.depth).toBe(0);
    expect(gate.stats()).toMatchObject({ admitted: 1, duplicates: 3, requeued: 0, otherwiseRefused: 0 });
  });

  it.each([
    ['its handler failed', 'cancelled'],
    ['an operator cancelled it', 'cancelled'],
    ['its hold ran out', 'expired'],
    ['its hold ran out and no call has looked', 'expired'],
  ])("is answered 'already-ended' when %s", async (how, state) => {
    const { gate, stock, clock } = open();
    const { reservation } = gate.admit(order(1)) as { reservation: bigint };
    if (how === 'its handler failed') {
      await handle(gate, () => {
        throw new Error('no');
      });
    }
    if (how === 'an operator cancelled it') stock.cancel(reservation);
    if (state === 'expired') {
      clock.advance(29_999.999);
      expect(gate.admit(order(1))).toMatchObject({ outcome: 'admitted', state: 'held' });
      clock.advance(0.001);
    }
    if (how === 'its hold ran out') stock.expire();
    const ended = { outcome: 'already-ended', reservation, state };
    for (let i = 0; i < 3; i++) expect(gate.admit(order(1))).toStrictEqual(ended);
    expect(JSON.parse(JSON.stringify(gate.admit(order(1))))).toEqual({
      ...ended,
      reservation: String(reservation),
    });
    expect(gate.stats()).toMatchObject({ admitted: 1, otherwiseRefused: 4 });
  });

  it("is answered 'already-ended' when the queue dropped it", async () => {
    const clock = new ManualClock();
    const queue = Queue.create(Order, { capacity: 10, clock, ttlMs: 5 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 5 }], clock });
    const gate = Gate.create({ queue, stock, fields });
    gate.admit(order(1));
    clock.advance(5);
    gate.admit(order(2));
    await handle(gate, () => {});
    expect(gate.admit(order(1))).toMatchObject({ outcome: 'already-ended', state: 'cancelled' });
  });

  it("is answered 'unknown' when its place has been used again", () => {
    const clock = new ManualClock();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }], maxReservations: 1, clock });
    const gate = Gate.create({ queue: Queue.create(Order, { capacity: 9, clock }), stock, fields });
    const { reservation } = gate.admit(order(1)) as { reservation: bigint };
    stock.cancel(reservation);
    stock.reserve({ sku: 1, quantity: 1 });
    expect(gate.admit(order(1))).toStrictEqual({ outcome: 'already-ended', reservation, state: 'unknown' });
  });
});
