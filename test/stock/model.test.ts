import fc from 'fast-check';
import { ManualClock, type ReserveOptions, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { seed } from '../seed.js';
import { LedgerModel } from './ledger-model.js';

interface Real {
  stock: Stock;
  clock: ManualClock;
}

type Command = fc.Command<LedgerModel, Real>;

function command(name: string, run: (model: LedgerModel, real: Real) => void): Command {
  return {
    check: () => true,
    toString: () => name,
    run(model, real) {
      run(model, real);
      for (const sku of model.items.keys()) expect(real.stock.counts(sku)).toEqual(model.counts(sku));
      expect(real.stock.audit()).toEqual({ items: model.items.size, held: model.held });
    },
  };
}

const requests: fc.Arbitrary<ReserveOptions> = fc.record(
  {
    sku: fc.constantFrom(1, 2, 3, 9),
    quantity: fc.integer({ min: 1, max: 4 }),
    user: fc.integer({ min: 0, max: 4 }),
    id: fc.nat({ max: 30 }),
    holdMs: fc.integer({ min: 1, max: 50 }),
  },
  { requiredKeys: ['sku', 'quantity', 'user'] },
);

/** Returns one of the reservations made so far, or a number that never was one. */
function pick(model: LedgerModel, which: number): bigint {
  return [...model.reservations.keys()].at(-1 - which) ?? BigInt(which) * 2n ** 32n;
}

const which = fc.nat({ max: 12 });
const commands = [
  requests.map((request) =>
    command(`reserve(${JSON.stringify(request)})`, (model, { stock }) => {
      const expected = model.expectReserve(request);
      const answer = stock.reserve(request);
      if (typeof expected === 'bigint') {
        expect(answer).toMatchObject({ ok: true, reservation: expected, duplicate: true });
      } else if (expected === 'new') {
        if (!answer.ok) throw new Error(`refused: ${answer.reason}`);
        expect(answer).toMatchObject({ expiresInMs: request.holdMs ?? 20, duplicate: false });
        expect(model.reservations.has(answer.reservation)).toBe(false);
        model.reserved(request, answer);
      } else {
        expect(answer).toEqual({ ok: false, reason: expected });
      }
    }),
  ),
  which.map((i) =>
    command(`confirm the ${i}th from the last`, (model, { stock }) => {
      const reservation = pick(model, i);
      expect(stock.confirm(reservation)).toBe(model.resolve(reservation, 'confirmed'));
    }),
  ),
  which.map((i) =>
    command(`cancel the ${i}th from the last`, (model, { stock }) => {
      const reservation = pick(model, i);
      expect(stock.cancel(reservation)).toBe(model.resolve(reservation, 'cancelled'));
    }),
  ),
  fc.integer({ min: 1, max: 30 }).map((ms) =>
    command(`advance(${ms})`, (model, { clock }) => {
      clock.advance(ms);
      model.nowMs += ms;
    }),
  ),
  fc.constant(
    command('expire', (model, { stock }) => {
      expect(stock.expire()).toBe(model.expire());
    }),
  ),
];

describe('any sequence of calls', () => {
  it('does what the model of the ledger says, and the audit passes after each', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.commands(commands, { maxCommands: 120, size: 'max' }),
        (maxReservations, sequence) => {
          const items = [
            { sku: 1, quantity: 12, perUser: 3 },
            { sku: 2, quantity: 5 },
            { sku: 3, quantity: 30, perUser: 6 },
          ];
          const clock = new ManualClock(500);
          using stock = Stock.create({
            items,
            maxReservations,
            maxIds: 1_000,
            maxUsers: 100,
            holdMs: 20,
            clock,
          });
          const known = new Map(
            items.map(({ sku, quantity, perUser = 0 }) => [sku, { total: quantity, perUser }]),
          );
          fc.modelRun(
            () => ({ model: new LedgerModel(known, maxReservations), real: { stock, clock } }),
            sequence,
          );
        },
      ),
      { seed, numRuns: 300 },
    );
  });
});
