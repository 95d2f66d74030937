// @ts-check
import { CATALOGUE } from './catalogue.js';
import { MALFORMED } from './malformed.js';
import { Random } from './random.js';

/**
 * @typedef {import('./order-schema.js').OrderRequest} OrderRequest
 */

/**
 * The kind of a request, which decides which answers are right.
 * @typedef {'order' | 'retry' | 'reused-id' | 'too-many' | 'unknown-item' | 'malformed' | 'oversized'} Kind
 */

/**
 * @typedef {object} PlannedRequest
 * @property {Kind} kind
 * @property {OrderRequest} order
 * @property {number} [malformation]  index into MALFORMED
 */

/**
 * One user's visit: one request, or two, either in flight together or one after the other.
 * @typedef {object} Visit
 * @property {boolean} together
 * @property {PlannedRequest[]} requests
 */

const SEED = 20_251_128;
const UNKNOWN_SKU = 9_999;
const FIRST_ID = 1_000_001;

/** Longer than the server accepts. */
const OVERSIZED_NOTE_LENGTH = 2_000;

/** @type {readonly (readonly ['single' | 'double-click' | Exclude<Kind, 'order'>, number])[]} */
const VISITS = [
  ['single', 740],
  ['double-click', 100],
  ['retry', 80],
  ['reused-id', 15],
  ['too-many', 20],
  ['unknown-item', 15],
  ['malformed', 25],
  ['oversized', 5],
];

/** An item's share of the orders is its share of the units. */
const ITEMS = CATALOGUE.map((item) => /** @type {const} */ ([item, item.quantity]));

/** One unit, or as many as one user may buy. */
const APPETITES = /** @type {const} */ ([
  ['one', 80],
  ['all', 20],
]);

/**
 * Returns the traffic of one sale: exactly `requests` requests, and always the same ones for the same arguments.
 * @param {{ requests: number, users: number }} size
 * @returns {Generator<Visit, void, void>}
 */
export function* visits({ requests, users }) {
  const random = new Random(SEED);
  let nextId = FIRST_ID;
  let left = requests;
  while (left > 0) {
    const visit = planVisit(random, users, () => nextId++);
    visit.requests.length = Math.min(visit.requests.length, left);
    left -= visit.requests.length;
    yield visit;
  }
}

/**
 * @param {PlannedRequest} planned
 * @returns {string} the body to send
 */
export function bodyOf({ kind, order, malformation = 0 }) {
  if (kind === 'malformed') return malformed(malformation).write(order);
  if (kind === 'oversized') return JSON.stringify({ ...order, note: 'x'.repeat(OVERSIZED_NOTE_LENGTH) });
  return JSON.stringify(order);
}

/**
 * @param {PlannedRequest} planned
 * @returns {string} the field that a 400 has to name
 */
export function fieldToBlame({ malformation = 0 }) {
  return malformed(malformation).field;
}

/**
 * @param {Random} random
 * @param {number} users
 * @param {() => number} newId
 * @returns {Visit}
 */
function planVisit(random, users, newId) {
  const item = random.choose(ITEMS);
  const quantity = random.choose(APPETITES) === 'one' ? 1 : item.perUser;
  const order = { id: newId(), user: 1 + random.below(users), sku: item.sku, quantity };
  const visit = random.choose(VISITS);
  switch (visit) {
    case 'single':
      return inTurn({ kind: 'order', order });
    case 'double-click':
      return {
        together: true,
        requests: [
          { kind: 'order', order },
          { kind: 'order', order: { ...order, id: newId() } },
        ],
      };
    case 'retry':
      return inTurn({ kind: 'order', order }, { kind: 'retry', order });
    case 'reused-id':
      return inTurn(
        { kind: 'order', order },
        { kind: 'reused-id', order: { ...order, quantity: quantity + 1 } },
      );
    case 'too-many':
      return inTurn({
        kind: visit,
        order: { ...order, quantity: random.fraction() < 0.5 ? item.perUser + 1 : item.quantity + 1 },
      });
    case 'unknown-item':
      return inTurn({ kind: visit, order: { ...order, sku: UNKNOWN_SKU } });
    case 'malformed':
      return inTurn({ kind: visit, order, malformation: random.below(MALFORMED.length) });
    case 'oversized':
      return inTurn({ kind: visit, order });
  }
}

/**
 * @param {PlannedRequest[]} requests
 * @returns {Visit}
 */
function inTurn(...requests) {
  return { together: false, requests };
}

/** @param {number} index */
function malformed(index) {
  const found = MALFORMED[index];
  if (found === undefined) throw new RangeError(`there is no malformation ${index}`);
  return found;
}
