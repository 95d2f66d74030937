// @ts-check
import { f64, record, u16, u32, u53 } from 'sluice';

/** An admitted order in the queue from the server's thread to the cashier's. */
export const Order = record({
  orderId: u53,
  user: u53,
  sku: u32,
  quantity: u16,
  /** monotonicMs() just before the order was admitted */
  admittedAt: f64,
});

/**
 * An order as a client sends it: the body of POST /orders.
 * @typedef {{ id: number, user: number, sku: number, quantity: number }} OrderRequest
 */

/** @type {readonly { name: keyof OrderRequest, max: number }[]} */
const FIELDS = [
  { name: 'id', max: Number.MAX_SAFE_INTEGER },
  { name: 'user', max: Number.MAX_SAFE_INTEGER },
  { name: 'sku', max: 0xffff_ffff },
  { name: 'quantity', max: 0xffff },
];

/** A body that is not an order. `field` is the bad field, or 'body' if the body is not a JSON object. */
export class BadOrder extends Error {
  /**
   * @param {string} field
   * @param {string} message
   */
  constructor(field, message) {
    super(message);
    this.name = 'BadOrder';
    this.field = field;
  }
}

/**
 * @param {string} text
 * @returns {OrderRequest}
 * @throws {BadOrder}
 */
export function parseOrder(text) {
  const body = parseObject(text);
  for (const { name, max } of FIELDS) {
    const value = body[name];
    if (
      !Number.isSafeInteger(value) ||
      /** @type {number} */ (value) < 1 ||
      /** @type {number} */ (value) > max
    ) {
      throw new BadOrder(name, `${name} must be an integer from 1 to ${max}, got ${describe(value)}`);
    }
  }
  return /** @type {OrderRequest} */ (/** @type {unknown} */ (body));
}

/**
 * @param {string} text
 * @returns {Record<string, unknown>}
 */
function parseObject(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new BadOrder('body', 'the body must be JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new BadOrder('body', `the body must be a JSON object, got ${describe(body)}`);
  }
  return body;
}

/** @param {unknown} value */
function describe(value) {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value);
}
