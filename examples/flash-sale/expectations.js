// @ts-check
import { fieldToBlame } from './scenario.js';

/**
 * @typedef {import('./client.js').HeardAnswer} HeardAnswer
 * @typedef {import('./scenario.js').PlannedRequest} PlannedRequest
 */

/** Any order may meet a limit or a full queue, because both depend on the speed of the machine. */
const BUSY = [429, 503];

/** @type {Record<import('./scenario.js').Kind, readonly number[]>} */
const STATUSES = {
  order: [202, 409, ...BUSY],
  retry: [202, 409, ...BUSY],
  'reused-id': [202, 409, ...BUSY],
  'too-many': [409, ...BUSY],
  'unknown-item': [409, ...BUSY],
  malformed: [400],
  oversized: [413],
};

/**
 * Returns the fault that a client can see in an answer, or undefined.
 * @param {PlannedRequest} planned
 * @param {HeardAnswer} answer
 * @param {HeardAnswer | undefined} earlier  the answer to the first request with this id
 * @param {boolean} [several]  whether several processes sell: each remembers for itself which ids it has refused as
 *   sold out without asking the others, and hears within a heartbeat which ids others have admitted
 * @returns {string | undefined}
 */
export function surprise(planned, answer, earlier, several = false) {
  const { kind } = planned;
  const { status, body, retryAfterMs } = answer;
  if (!STATUSES[kind].includes(status)) {
    return `${kind}: expected ${STATUSES[kind].join(' or ')}`;
  }
  if (BUSY.includes(status) && !(Number.isInteger(retryAfterMs / 1_000) && retryAfterMs >= 1_000)) {
    return `${kind}: expected a Retry-After of whole seconds with ${status}`;
  }
  if (status === 202 && typeof body['reservation'] !== 'string') {
    return `${kind}: expected a reservation with 202`;
  }
  if (kind === 'malformed' && body['field'] !== fieldToBlame(planned)) {
    return `malformed: expected field ${fieldToBlame(planned)} to be named`;
  }
  const mayChange = several && (earlier?.body['error'] === 'sold-out' || BUSY.includes(status));
  if (earlier?.status === 409 && status !== 409 && !mayChange) {
    return `${kind}: expected 409 again`;
  }
  const isUnheard = several && (BUSY.includes(status) || body['error'] === 'sold-out');
  if (earlier?.status !== 202 || isUnheard) return undefined;
  if (kind === 'retry' && body['reservation'] !== earlier.body['reservation']) {
    return 'retry: expected the same reservation again';
  }
  if (kind === 'reused-id' && body['error'] !== 'id-mismatch') {
    return 'reused-id: expected id-mismatch';
  }
  return undefined;
}
