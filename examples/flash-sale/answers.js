// @ts-check

/**
 * @typedef {ReturnType<import('./sale.js').Sale['gate']['admit']>
 *   | Awaited<ReturnType<import('sluice/redis').RedisGate<unknown>['admit']>>} Admission
 */

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {string} outcome the name under which the report counts it
 * @property {object} body                sent as JSON
 * @property {number} [retryAfterSeconds] sent as Retry-After
 * @property {string} [allow]             sent as Allow
 */

/** The Retry-After of refusals that end by themselves, at a time that cannot be known. */
const RETRY_SOON_SECONDS = 1;

/**
 * 409 has its cause in the order, its user or the stock: a client should not send the order again. 503 has its cause in
 * the server: sending the order again may help.
 * @type {Record<Exclude<Admission['outcome'], 'admitted' | 'already-ended' | 'rate-limited'>, 409 | 503>}
 */
const REFUSALS = {
  'sold-out': 409,
  'user-limit': 409,
  'unknown-sku': 409,
  'item-closed': 409,
  'sale-over': 409,
  'id-mismatch': 409,
  'already-failed': 409,
  'reserved-directly': 409,
  'queue-full': 503,
  'ledger-full': 503,
  'users-full': 503,
  'ids-full': 503,
  'in-progress': 503,
  closed: 503,
  unavailable: 503,
  revoked: 503,
};

/**
 * @param {Admission} admission
 * @returns {Answer}
 */
export function answerToAdmission(admission) {
  if (admission.outcome === 'admitted') {
    const { duplicate } = admission;
    // The JSON of an admission has the reservation, whether it is a duplicate, and whether the order is held or
    // confirmed.
    return { status: 202, outcome: duplicate ? 'admitted before' : 'admitted', body: admission };
  }
  if (admission.outcome === 'already-ended') {
    // The order's payment was declined, or its hold ran out: no handler will get the order again.
    const { outcome, reservation, state } = admission;
    return { status: 409, outcome, body: { error: outcome, state, reservation: String(reservation) } };
  }
  if (admission.outcome === 'rate-limited') {
    const { outcome, tier, retryAfterMs } = admission;
    return {
      status: 429,
      outcome,
      retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1_000)),
      body: { error: outcome, tier },
    };
  }
  const { outcome } = admission;
  const status = REFUSALS[outcome];
  return status === 503
    ? { status, outcome, retryAfterSeconds: RETRY_SOON_SECONDS, body: { error: outcome } }
    : { status, outcome, body: { error: outcome } };
}

/**
 * @param {string} field
 * @param {string} message
 * @returns {Answer}
 */
export function answerToBadOrder(field, message) {
  return { status: 400, outcome: 'bad-order', body: { error: 'bad-order', field, message } };
}

/**
 * @param {number} maxBytes
 * @returns {Answer}
 */
export function answerToOversized(maxBytes) {
  const message = `the body must not be longer than ${maxBytes} bytes`;
  return { status: 413, outcome: 'too-large', body: { error: 'too-large', message } };
}

/** @type {Answer} */
export const NOT_FOUND = {
  status: 404,
  outcome: 'not-found',
  body: { error: 'not-found', message: 'there is only POST /orders' },
};

/** @type {Answer} */
export const WRONG_METHOD = {
  status: 405,
  outcome: 'wrong-method',
  allow: 'POST',
  body: { error: 'wrong-method', message: 'there is only POST /orders' },
};

/** @type {Answer} */
export const BROKEN = { status: 500, outcome: 'broken', body: { error: 'broken' } };
