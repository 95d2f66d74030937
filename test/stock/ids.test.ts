import { ManualClock, Stock, type StockOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { reserved } from './reserved.js';

function ledger(options: Partial<StockOptions> = {}) {
  const clock = new ManualClock();
  const items = [
    { sku: 1, quantity: 100, perUser: 5 },
    { sku: 2, quantity: 1 },
  ];
  return { clock, stock: Stock.create({ items, clock, ...options }) };
}

const request = { sku: 1, quantity: 2, user: 7, id: 1_000 };

describe('reserve with an id', () => {
  it('answers a retry with the same reservation, and reserves nothing more', () => {
    const { stock } = ledger();
    const first = stock.reserve(request);
    expect(first).toMatchObject({ ok: true, duplicate: false });
    for (let i = 0; i < 5; i++) expect(stock.reserve(request)).toEqual({ ...first, duplicate: true });
    expect(stock.counts(1)).toMatchObject({ available: 98, reserved: 2 });
    expect(stock.stats()).toMatchObject({ reserved: 1, refused: 0 });
    stock.audit();
  });

  it.each(['confirm', 'cancel', 'expire'] as const)(
    'answers a retry with the same reservation also after %s',
    (resolve) => {
      const { stock, clock } = ledger();
      const first = stock.reserve(request);
      if (!first.ok) throw new Error(first.reason);
      if (resolve === 'expire') {
        clock.advance(30_000);
        stock.expire();
      } else {
        stock[resolve](first.reservation);
      }
      const after = stock.counts(1);
      expect(stock.reserve(request)).toMatchObject({
        ok: true,
        reservation: first.reservation,
        duplicate: true,
      });
      expect(stock.counts(1)).toEqual(after);
    },
  );

  it('answers a retry with the time left of the hold, and with what became of the reservation', () => {
    const { stock, clock } = ledger({ maxReservations: 2 });
    const first = stock.reserve({ ...request, holdMs: 100 });
    if (!first.ok) throw new Error(first.reason);
    expect(first).toMatchObject({ expiresInMs: 100, state: 'held', duplicate: false });
    const told = () => {
      const again = stock.reserve({ ...request, holdMs: 5_000 });
      if (!again.ok) throw new Error(again.reason);
      return [again.state, again.expiresInMs, again.duplicate];
    };
    clock.advance(89.5);
    expect(told()).toEqual(['held', 10.5, true]);
    stock.extend(first.reservation, 6_000_000);
    expect(told()).toEqual(['held', 6_000_000, true]);
    clock.advance(6_000_000);
    expect(told()).toEqual(['expired', 0, true]);
    stock.expire();
    expect(told()).toEqual(['expired', 0, true]);
    for (let i = 0; i < 2; i++) stock.reserve({ sku: 1, quantity: 1, user: 8 });
    expect(told()).toEqual(['unknown', 0, true]);
  });

  it.each(['confirm', 'cancel'] as const)('answers a retry that its reservation has ended: %s', (resolve) => {
    const { stock } = ledger();
    const first = stock.reserve(request);
    if (!first.ok) throw new Error(first.reason);
    stock[resolve](first.reservation);
    expect(stock.reserve(request)).toMatchObject({
      ok: true,
      state: resolve === 'confirm' ? 'confirmed' : 'cancelled',
      expiresInMs: 0,
    });
  });

  it('answers a retry with the held reservation also if the item is sold out meanwhile', () => {
    const { stock, clock } = ledger();
    const last = { sku: 2, quantity: 1, id: 5 };
    expect(stock.reserve(last)).toMatchObject({ ok: true });
    clock.advance(29_000);
    expect(stock.reserve(last)).toMatchObject({ ok: true, state: 'held', expiresInMs: 1_000 });
  });

  it.each([{ sku: 2 }, { quantity: 1 }, { user: 8 }, { sku: 2, quantity: 1 }])(
    'refuses the same id in another request: %o',
    (difference) => {
      const { stock } = ledger();
      stock.reserve(request);
      const before = stock.counts(2);
      expect(stock.reserve({ ...request, ...difference })).toEqual({ ok: false, reason: 'id-mismatch' });
      expect(stock.counts(2)).toEqual(before);
      expect(stock.reserve(request)).toMatchObject({ ok: true, duplicate: true });
    },
  );

  it('refuses an id for good once its item was sold out, though units come back', () => {
    const { stock } = ledger();
    const held = stock.reserve({ sku: 2, quantity: 1 });
    if (!held.ok) throw new Error(held.reason);
    const late = { sku: 2, quantity: 1, id: 5 };
    expect(stock.reserve(late)).toEqual({ ok: false, reason: 'sold-out' });
    expect(stock.reserve(late)).toEqual({ ok: false, reason: 'already-failed' });
    stock.cancel(held.reservation);
    expect(stock.reserve(late)).toEqual({ ok: false, reason: 'already-failed' });
    expect(stock.reserve({ ...late, quantity: 2 })).toEqual({ ok: false, reason: 'id-mismatch' });
    expect(stock.reserve({ ...late, id: 6 })).toMatchObject({ ok: true, duplicate: false });
  });

  it('refuses an id for good once its request was beyond the limit of the user', () => {
    const { stock } = ledger();
    const held = stock.reserve({ sku: 1, quantity: 5, user: 7 });
    if (!held.ok) throw new Error(held.reason);
    expect(stock.reserve(request)).toEqual({ ok: false, reason: 'user-limit' });
    stock.cancel(held.reservation);
    expect(stock.reserve(request)).toEqual({ ok: false, reason: 'already-failed' });
    expect(stock.reserve({ ...request, id: 1_001 })).toMatchObject({ ok: true });
  });

  it('can be tried again if a table was full, or the item unknown', () => {
    const { stock } = ledger({ maxReservations: 1, maxUsers: 1 });
    const held = stock.reserve({ sku: 1, quantity: 1, user: 1 });
    if (!held.ok) throw new Error(held.reason);
    const full = { sku: 1, quantity: 1, user: 1, id: 9 };
    for (let i = 0; i < 3; i++) expect(stock.reserve(full)).toEqual({ ok: false, reason: 'ledger-full' });
    const stranger = { sku: 1, quantity: 1, user: 2, id: 10 };
    for (let i = 0; i < 3; i++) expect(stock.reserve(stranger)).toEqual({ ok: false, reason: 'users-full' });
    const unknown = { sku: 3, quantity: 1, user: 1, id: 11 };
    for (let i = 0; i < 3; i++) expect(stock.reserve(unknown)).toEqual({ ok: false, reason: 'unknown-sku' });
    stock.cancel(held.reservation);
    expect(stock.reserve(full)).toMatchObject({ ok: true, duplicate: false });
    stock.audit();
  });
});

describe('the memory for ids', () => {
  it('forgets resolved ids when it is full, the newest last', () => {
    const { stock } = ledger({ maxIds: 1_000 });
    for (let id = 0; id < 50_000; id++) {
      const answer = stock.reserve({ sku: 1, quantity: 1, user: 1, id });
      if (!answer.ok) throw new Error(`id ${id}: ${answer.reason}`);
      stock.cancel(answer.reservation);
      // Each of the last 100 ids is remembered, because no bucket has got 16 others since.
      const recent = id - (id % 100);
      expect(stock.reserve({ sku: 1, quantity: 1, user: 1, id: recent })).toMatchObject({
        ok: true,
        duplicate: true,
      });
    }
    expect(stock.stats()).toMatchObject({ reserved: 50_000, refused: 0 });
    stock.audit();
  });

  it('never forgets an id that is held: the next one is refused instead', () => {
    const { stock } = ledger({ maxIds: 1, items: [{ sku: 1, quantity: 1_000 }] });
    const held: bigint[] = [];
    // All these ids are neighbours: they fill 17 places, and 17 more where they spill over.
    for (let id = 0; id < 34; id++) held.push(reserved(stock.reserve({ sku: 1, quantity: 1, id })));
    expect(stock.reserve({ sku: 1, quantity: 1, id: 34 })).toEqual({ ok: false, reason: 'ids-full' });
    expect(stock.counts(1).reserved).toBe(34);
    expect(stock.reserve({ sku: 1, quantity: 1 })).toMatchObject({ ok: true });
    for (let id = 0; id < 34; id++)
      expect(stock.reserve({ sku: 1, quantity: 1, id })).toMatchObject({ duplicate: true });
    for (const [resolved, id] of [
      [3, 34],
      [30, 35],
    ] as const) {
      stock.confirm(held[resolved] as bigint);
      expect(stock.reserve({ sku: 1, quantity: 1, id })).toMatchObject({ ok: true, duplicate: false });
      expect(stock.reserve({ sku: 1, quantity: 1, id: 36 })).toEqual({ ok: false, reason: 'ids-full' });
    }
    stock.audit();
  });

  it('forgets none of 500 confirmed ids for 262,144 refused ones', () => {
    const items = [{ sku: 1, quantity: 1_000, perUser: 1 }];
    const { stock } = ledger({ items });
    const order = (id: number) => ({ sku: 1, quantity: 1, user: id, id });
    for (let id = 0; id < 500; id++) stock.confirm(reserved(stock.reserve(order(id))));
    for (let i = 0; i < 262_144; i++) {
      const answer = stock.reserve({ sku: 1, quantity: 1, user: 1, id: 1_000_000 + i });
      if (answer.ok || answer.reason !== 'user-limit') throw new Error(JSON.stringify(answer));
    }
    for (let id = 0; id < 500; id++)
      expect(stock.reserve(order(id))).toMatchObject({ ok: true, duplicate: true, state: 'confirmed' });
    expect(stock.counts(1)).toMatchObject({ sold: 500 });
  });

  it('has room for as many held ids as it is made for', () => {
    const { stock } = ledger({ items: [{ sku: 1, quantity: 100_000 }] });
    for (let id = 0; id < 65_536; id++) {
      const answer = stock.reserve({ sku: 1, quantity: 1, id });
      if (!answer.ok) throw new Error(`id ${id}: ${answer.reason}`);
    }
    for (let id = 0; id < 65_536; id++) {
      const answer = stock.reserve({ sku: 1, quantity: 1, id });
      if (!answer.ok || !answer.duplicate) throw new Error(`id ${id} was forgotten`);
    }
    stock.audit();
  });
});
