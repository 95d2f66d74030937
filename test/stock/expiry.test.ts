import { setImmediate as immediate } from 'node:timers/promises';
import { ManualClock, type Reserved, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';

const nanosecond = 1e-6; // in milliseconds

function reserved(answer: ReturnType<Stock['reserve']>): Reserved {
  if (!answer.ok) throw new Error(`refused: ${answer.reason}`);
  return answer;
}

describe('a reservation expires', () => {
  it('at its deadline, not before', () => {
    const clock = new ManualClock();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 10 }], holdMs: 100, clock });
    const first = reserved(stock.reserve({ sku: 1, quantity: 2 }));
    const second = reserved(stock.reserve({ sku: 1, quantity: 3 }));
    expect([first.expiresInMs, second.expiresInMs]).toEqual([100, 100]);
    clock.advance(100 - nanosecond);
    expect(stock.expire()).toBe(0);
    expect(stock.confirm(first.reservation)).toBe('confirmed');
    clock.advance(nanosecond);
    expect(stock.expire()).toBe(1);
    expect(stock.counts(1)).toEqual({ total: 10, available: 8, reserved: 0, sold: 2 });
    expect([stock.confirm(second.reservation), stock.cancel(second.reservation)]).toEqual([
      'expired',
      'expired',
    ]);
    expect(stock.stats()).toMatchObject({ confirmed: 1, expired: 1, cancelled: 0 });
  });

  it.each(['confirm', 'cancel'] as const)('at its deadline also if %s comes before the sweep', (resolve) => {
    const clock = new ManualClock();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 10, perUser: 4 }], holdMs: 100, clock });
    const { reservation } = reserved(stock.reserve({ sku: 1, quantity: 4, user: 1 }));
    clock.advance(100);
    expect(stock.counts(1).reserved).toBe(4);
    expect(stock[resolve](reservation)).toBe('expired');
    expect(stock.counts(1)).toEqual({ total: 10, available: 10, reserved: 0, sold: 0 });
    expect(stock.expire()).toBe(0);
    reserved(stock.reserve({ sku: 1, quantity: 4, user: 1 }));
    stock.audit();
  });

  it('after the hold that the call asked for', () => {
    const clock = new ManualClock();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 10 }], holdMs: 100, clock });
    const short = reserved(stock.reserve({ sku: 1, quantity: 1, holdMs: 1.5 }));
    const long = reserved(stock.reserve({ sku: 1, quantity: 1, holdMs: 86_400_000 }));
    expect([short.expiresInMs, long.expiresInMs]).toEqual([1.5, 86_400_000]);
    clock.advance(1.5);
    expect(stock.expire()).toBe(1);
    clock.advance(86_400_000 - 1.5 - nanosecond);
    expect(stock.expire()).toBe(0);
    clock.advance(nanosecond);
    expect(stock.expire()).toBe(1);
    expect(stock.counts(1).available).toBe(10);
  });

  it('and no longer counts for its user', () => {
    const clock = new ManualClock();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 10, perUser: 1 }], clock });
    for (let round = 0; round < 20; round++) {
      reserved(stock.reserve({ sku: 1, quantity: 1, user: 1 }));
      expect(stock.reserve({ sku: 1, quantity: 1, user: 1 })).toEqual({ ok: false, reason: 'user-limit' });
      clock.advance(30_000);
      expect(stock.expire()).toBe(1);
      stock.audit();
    }
  });

  it('wherever it is in the table, whichever thread sweeps', () => {
    const clock = new ManualClock();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 1e6 }], maxReservations: 100_000, clock });
    const other = Stock.attach(stock.handle);
    for (let i = 0; i < 100_000; i++) reserved(stock.reserve({ sku: 1, quantity: 1, holdMs: 1 + (i % 10) }));
    for (let round = 1; round <= 10; round++) {
      clock.advance(1);
      expect((round % 2 ? stock : other).expire()).toBe(10_000);
      expect(stock.counts(1).reserved).toBe(100_000 - round * 10_000);
    }
    expect(stock.audit()).toEqual({ items: 1, held: 0 });
  });

  it('when another one could not be made because of it: no call is refused for that reason', () => {
    const clock = new ManualClock();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 2, perUser: 2 }], holdMs: 100, clock });
    reserved(stock.reserve({ sku: 1, quantity: 2, user: 1 }));
    clock.advance(100 - nanosecond);
    expect(stock.reserve({ sku: 1, quantity: 1, user: 2, id: 1 })).toEqual({ ok: false, reason: 'sold-out' });
    clock.advance(nanosecond);
    reserved(stock.reserve({ sku: 1, quantity: 1, user: 2, id: 2 }));
    stock.restock(1, 10);
    reserved(stock.reserve({ sku: 1, quantity: 2, user: 1 }));
    expect(stock.reserve({ sku: 1, quantity: 1, user: 1, id: 3 })).toEqual({
      ok: false,
      reason: 'user-limit',
    });
    clock.advance(100);
    reserved(stock.reserveAll([{ sku: 1, quantity: 2 }], { user: 1, id: 4 }));
    expect(stock.reserve({ sku: 1, quantity: 1, user: 2, id: 1 })).toEqual({
      ok: false,
      reason: 'already-failed',
    });
    expect(stock.stats()).toMatchObject({ reserved: 4, expired: 3 });
    stock.audit();
  });

  it('when it fills a table that another needs a place in', () => {
    const clock = new ManualClock();
    const small = { maxReservations: 1, maxUsers: 1, holdMs: 1, clock };
    const stock = Stock.create({ items: [{ sku: 1, quantity: 9, perUser: 1 }], ...small });
    for (let user = 0; user < 5; user++) {
      reserved(stock.reserve({ sku: 1, quantity: 1, user, id: user }));
      const other = { sku: 1, quantity: 1, user: 9, id: 9 };
      expect(stock.reserve(other)).toEqual({ ok: false, reason: 'users-full' });
      clock.advance(1);
    }
    const ids = Stock.create({ items: [{ sku: 1, quantity: 99 }], maxIds: 1, holdMs: 1, clock });
    let id = 0;
    while (ids.reserve({ sku: 1, quantity: 1, id }).ok) id++;
    expect(ids.reserve({ sku: 1, quantity: 1, id })).toEqual({ ok: false, reason: 'ids-full' });
    clock.advance(1);
    reserved(ids.reserve({ sku: 1, quantity: 1, id }));
    stock.audit();
    ids.audit();
  });

  it('in parts where very many are over at once: an id gets no final answer that may still change', () => {
    const clock = new ManualClock();
    const items = [
      { sku: 1, quantity: 1e6 },
      { sku: 2, quantity: 1 },
    ];
    const stock = Stock.create({ items, maxReservations: 10_000, holdMs: 1, clock });
    for (let i = 0; i < 5_000; i++) reserved(stock.reserve({ sku: 1, quantity: 1 }));
    reserved(stock.reserve({ sku: 2, quantity: 1 }));
    clock.advance(1);
    const last = { sku: 2, quantity: 1, id: 5 };
    let refused = 0;
    for (let answer = stock.reserve(last); !answer.ok; answer = stock.reserve(last)) {
      expect(answer.reason).toBe('sold-out');
      refused++;
    }
    expect(refused).toBeGreaterThan(5);
    expect(refused).toBeLessThan(50);
    expect(stock.stats().expired).toBe(5_001);
    stock.audit();
  });

  it('never automatically with a manual clock', async () => {
    const clock = new ManualClock();
    const stock = Stock.create({ items: [{ sku: 1, quantity: 1 }], holdMs: 1, clock });
    const real = Stock.create({ items: [{ sku: 1, quantity: 1 }], holdMs: 1 });
    reserved(stock.reserve({ sku: 1, quantity: 1 }));
    reserved(real.reserve({ sku: 1, quantity: 1 }));
    clock.advance(1_000);
    while (real.counts(1).reserved > 0) await immediate();
    expect(stock.counts(1).reserved).toBe(1);
    expect(stock.expire()).toBe(1);
  });

  it("automatically with the machine's clock, however many there are", async () => {
    const stock = Stock.create({ items: [{ sku: 1, quantity: 1e6 }], maxReservations: 150_000, holdMs: 5 });
    const one = reserved(stock.reserve({ sku: 1, quantity: 1, holdMs: 86_400_000 }));
    for (let i = 1; i < 150_000; i++) reserved(stock.reserve({ sku: 1, quantity: 1 }));
    while (stock.counts(1).reserved > 1) await immediate();
    expect(stock.stats().expired).toBe(149_999);
    expect(stock.confirm(one.reservation)).toBe('confirmed');
    expect(stock.audit()).toEqual({ items: 1, held: 0 });
  });
});
