// @ts-check
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CATALOGUE } from '../catalogue.js';
import { CrewBook } from '../crew-books.js';

/** How many reservations are looked up at the same time. */
const LOOKUPS = 64;

/**
 * What only a sale of several processes has to account for.
 * @typedef {object} ShopsBooks
 * @property {number} processes
 * @property {number} concurrency   orders that one process handles at a time
 * @property {number} deaths        processes that were killed
 * @property {number} kills         how often the Redis server was killed
 * @property {number} again         how often a cashier was given an order that a cashier had been given before
 * @property {number} unwitnessed   orders whose cashier was killed after it had decided them, before it wrote that down
 * @property {number} left          orders in the stream at the end
 * @property {number} deadLetters
 */

/**
 * Makes the books of a sale of several processes: the server's book from the changes that Redis has kept, in their
 * order; the cashiers' from the files that these wrote.
 * @param {object} sources
 * @param {import('sluice/redis').RedisStock} sources.stock
 * @param {string | undefined} sources.last  the position of the last change
 * @param {string} sources.directory  of the cashiers' books
 */
export async function readBooks({ stock, last, directory }) {
  const { reserved, ended } = await readMovements(stock, last);
  const cashiers = readCashiers(directory);
  const handled = cashiers.close((reservation) => ended.get(reservation)?.state);
  /** @type {import('../admission-desk.js').AdmittedOrder[]} */
  const admitted = [];
  for (let at = 0; at < reserved.length; at += LOOKUPS) {
    const some = reserved.slice(at, at + LOOKUPS);
    const found = await Promise.all(some.map(({ reservation }) => stock.find({ reservation })));
    for (const [i, order] of some.entries()) admitted.push({ ...order, id: Number(found[i]?.id) });
  }
  const [items, auditError] = await Promise.all([
    Promise.all(CATALOGUE.map(async ({ sku }) => ({ sku, ...(await stock.counts(sku)) }))),
    stock.audit().then(
      () => undefined,
      (error) => String(error),
    ),
  ]);
  return {
    admitted,
    handled: handled.map((order) => ({ ...order, step: ended.get(order.reservation)?.step ?? 0 })),
    ledger: items,
    auditError,
    again: cashiers.again,
    unwitnessed: cashiers.unwitnessed,
  };
}

/**
 * @param {import('sluice/redis').RedisStock} stock
 * @param {string | undefined} last
 */
async function readMovements(stock, last) {
  const reserved = [];
  /** @type {Map<string, { state: string, step: number }>} */
  const ended = new Map();
  let step = 0;
  if (last !== undefined) {
    for await (const { kind, position, reservation, user, sku, quantity } of stock.movements()) {
      step += 1;
      if (kind === 'reserved') {
        const order = { user: Number(user), sku: Number(sku), quantity, admittedBy: step, step };
        reserved.push({ reservation: String(reservation), ...order });
      } else if (reservation !== undefined) {
        ended.set(String(reservation), { state: kind, step });
      }
      if (position === last) break;
    }
  }
  return { reserved, ended };
}

/** @param {string} directory */
function readCashiers(directory) {
  const lines = readdirSync(directory).flatMap((file) =>
    // A cashier that was killed may have left half a line.
    readFileSync(join(directory, file), 'utf8').split('\n').slice(0, -1),
  );
  const book = new CrewBook();
  const parsed = lines.map((line) => JSON.parse(line));
  // An order that comes again goes from one file to another: its first taking comes first.
  parsed.sort((a, b) => a.at - b.at);
  for (const line of parsed) book.write({ ...line, reservation: BigInt(line.reservation) });
  return book;
}
