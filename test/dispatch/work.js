import { oneOf, record, u16, u32, u53 } from 'sluice';

/** The orders of these tests: each says what its handler does. */
export const Work = record({
  id: u53,
  key: u53,
  sku: u32,
  quantity: u16,
  act: oneOf(
    'return',
    'throw',
    'exit',
    'uncaught',
    'out-of-memory',
    'block',
    'hang',
    'decide-and-exit',
    'cancel',
    'part',
    'twice',
    'sleep',
    'late-return',
    'late-throw',
  ),
  /** How often it does so; afterwards its handler returns. */
  times: u32,
});

/** What the handler writes down: two entries for each time that it returns, and one for each time that it does not. */
export const Entry = record({
  id: u53,
  key: u53,
  deliveries: u32,
  /** 'late': a handler that had ended, or whose time was over, has called confirm(); `id`: see `lateAnswers`. */
  event: oneOf('begin', 'end', 'setup', 'teardown', 'late'),
  thread: u32,
});

/** What a call that comes too late may answer: 'late' entries have its place as their id. The last one is any other. */
export const lateAnswers = /** @type {const} */ (['expired', 'already-confirmed', 'confirmed', 'another']);

/** The fields of `Work` that are the request to a stock. */
export const fields = /** @type {const} */ ({ sku: 'sku', quantity: 'quantity', id: 'id' });

/**
 * @typedef {import('sluice').Infer<typeof Work>} Work
 * @typedef {import('sluice').Infer<typeof Entry>} Entry
 */

/**
 * @param {number} id
 * @param {Partial<Work>} [rest]
 * @returns {Work}
 */
export function work(id, rest = {}) {
  return { id, key: id, sku: 1, quantity: 1, act: 'return', times: 1_000_000, ...rest };
}
