import { Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { reserved } from './reserved.js';

/**
 * The functions below compute the hash that a ledger would have if there were no secret. An attacker with the source
 * code could then choose ids and users by it.
 */
const word = (value: bigint) => BigInt.asUintN(64, value);
const golden = 0x9e3779b97f4a7c15n;

function mix(key: bigint): bigint {
  let mixed = word((key ^ (key >> 30n)) * 0xbf58476d1ce4e5b9n);
  mixed = word((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
  return mixed ^ (mixed >> 31n);
}
const mix2 = (a: bigint, b: bigint) => mix(word(mix(a) + golden + b));
const unshift = (mixed: bigint, by: bigint) => mixed ^ (mixed >> by) ^ (mixed >> (2n * by));
function unmix(mixed: bigint): bigint {
  const second = word(unshift(mixed, 31n) * 0x319642b2d24d8ec3n);
  return unshift(word(unshift(second, 27n) * 0x96de1b173f119089n), 30n);
}
/** openHash() returns the hash of a number, and numberWith() returns the number with a given hash. */
const openHash = (number: bigint) => mix2(1n, number);
const numberWith = (hash: bigint) => word(unmix(hash) - mix(1n) - golden);

const buckets = 8_192n; // the homes of ids, with the default of 65,536 ids
const neighbour = (id: bigint, i: number) => numberWith((openHash(id) % buckets) + BigInt(i) * buckets);

describe('keys that a client chooses', () => {
  it('as ids that are refused do not make the ledger forget a confirmed one: a retry with it buys nothing more', () => {
    const stock = Stock.create({
      items: [
        { sku: 1, quantity: 10 },
        { sku: 2, quantity: 0 },
      ],
    });
    const order = { sku: 1, quantity: 1, id: 42n };
    const reservation = reserved(stock.reserve(order));
    stock.confirm(reservation);
    for (let i = 1; i <= 64; i++) {
      const id = neighbour(42n, i);
      expect(openHash(id) % buckets).toBe(openHash(42n) % buckets);
      expect(stock.reserve({ sku: 2, quantity: 1, id })).toMatchObject({ reason: 'sold-out' });
    }
    expect(stock.reserve(order)).toMatchObject({ ok: true, reservation, duplicate: true });
    expect(stock.counts(1)).toMatchObject({ available: 9, sold: 1 });
    stock.audit();
  });

  it('as ids that are held do not lock out another id', () => {
    const stock = Stock.create({ items: [{ sku: 1, quantity: 1_000 }] });
    for (let i = 1; i <= 64; i++) reserved(stock.reserve({ sku: 1, quantity: 1, id: neighbour(42n, i) }));
    expect(stock.reserve({ sku: 1, quantity: 1, id: 42n })).toMatchObject({ ok: true, duplicate: false });
  });

  it("as user and quantity make no body that matches another user's order", () => {
    const stock = Stock.create({
      items: [
        { sku: 1, quantity: 100 },
        { sku: 2, quantity: 100 },
      ],
    });
    const victim = reserved(stock.reserve({ sku: 1, quantity: 1, user: 7n, id: 42n }));
    const line = (sku: bigint, quantity: bigint) => mix2(openHash(sku), quantity);
    for (const quantity of [1n, 2n, 50n]) {
      const user = numberWith(word(mix(line(1n, 1n)) + openHash(7n) - mix(line(2n, quantity))));
      expect(mix2(line(2n, quantity), openHash(user))).toBe(mix2(line(1n, 1n), openHash(7n)));
      const forged = stock.reserve({ sku: 2, quantity: Number(quantity), user, id: 42n });
      expect(forged).toEqual({ ok: false, reason: 'id-mismatch' });
    }
    expect(stock.confirm(victim)).toBe('confirmed');
  });
});
