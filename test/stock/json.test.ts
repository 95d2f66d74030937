import { ManualClock, type Movement, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { reserved } from './reserved.js';

function ledger() {
  return Stock.create({ items: [{ sku: 1, quantity: 10 }], clock: new ManualClock() });
}
const overJson = <T>(value: unknown): T => JSON.parse(JSON.stringify(value)) as T;

describe('the answer of reserve in JSON', () => {
  it('has its reservation as a decimal string, with which it can be confirmed, cancelled and extended', () => {
    const stock = ledger();
    const answers = [1, 2, 3].map(() => stock.reserve({ sku: 1, quantity: 1 }));
    const sent = overJson<Array<{ reservation: string }>>(answers);
    expect(sent[0]).toEqual({
      ok: true,
      reservation: String(reserved(mistyped(answers[0]))),
      expiresInMs: 30_000,
      duplicate: false,
      state: 'held',
    });
    const [one, two, three] = sent.map(({ reservation }) => reservation) as [string, string, string];
    expect(stock.extend(one, 60_000)).toBe('extended');
    expect([stock.confirm(one), stock.confirm(one)]).toEqual(['confirmed', 'already-confirmed']);
    expect([stock.cancel(two), stock.cancel(two)]).toEqual(['cancelled', 'already-cancelled']);
    expect(stock.confirm(three, { quantity: 1 })).toBe('confirmed');
    expect(stock.counts(1)).toMatchObject({ reserved: 0, sold: 2 });
  });

  it('is the plain object that it was: to comparisons, copies and the console', () => {
    const answer = ledger().reserve({ sku: 1, quantity: 1 });
    const plain = {
      ok: true,
      reservation: reserved(answer),
      expiresInMs: 30_000,
      duplicate: false,
      state: 'held',
    };
    expect(answer).toStrictEqual(plain);
    expect(structuredClone(answer)).toStrictEqual(plain);
    expect({ ...answer }).toStrictEqual(plain);
    expect(Object.keys(answer)).toEqual(Object.keys(plain));
  });

  it.each([
    '',
    ' 1',
    '01',
    '-1',
    '1n',
    '1.0',
    '1e3',
    '0x1',
    '18446744073709551616',
    '9'.repeat(40),
    1,
    null,
    undefined,
  ])('is not taken for a reservation when it is %j', (value) => {
    const stock = ledger();
    for (const method of ['confirm', 'cancel', 'extend'] as const) {
      const error = thrown(() =>
        stock[method](value as string, mistyped(method === 'extend' ? 1 : undefined)),
      );
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toContain(`Stock.${method}: reservation`);
    }
  });

  it('may have any number of 64 bits as its reservation', () => {
    expect(ledger().confirm('18446744073709551615')).toBe('unknown');
    expect(ledger().confirm('0')).toBe('unknown');
  });
});

describe('a movement in JSON', () => {
  it('has its reservation as a decimal string, and its user in a form that names the same user again', async () => {
    const stock = ledger();
    const users = [7, 2 ** 53 - 1, 2n ** 64n - 1n, '7', undefined];
    const held = users.map((user) =>
      reserved(stock.reserve({ sku: 1, quantity: 1, ...(user !== undefined && { user }) })),
    );
    const told: unknown[] = [];
    for await (const movement of stock.movements({ from: 1 })) {
      told.push(overJson<Movement>(movement));
      if (told.length === users.length) break;
    }
    expect(told).toEqual(
      held.map((reservation, i) => ({
        kind: 'reserved',
        position: i + 1,
        sku: 1,
        quantity: 1,
        timeMs: 0,
        reservation: String(reservation),
        ...(users[i] !== undefined && { user: [7, 2 ** 53 - 1, '18446744073709551615', '7'][i] }),
      })),
    );
  });
});
