// @ts-check

/**
 * @typedef {import('./cashier.js').HandledOrder} HandledOrder
 */

/**
 * Where the time of one order went, from its admission until the cashier took it. The parts add up to `waitMs`.
 * @typedef {object} Explanation
 * @property {number} waitMs
 * @property {number} behindMs            the cashier worked on orders that came before it, or waited for their payment
 * @property {number | null} processorMs  the cashier's thread was ready, and had no processor; null: not known
 * @property {number} otherMs             the cashier's event loop woke up, or did something else
 */

/**
 * Explains the wait of the order at the 99.9th percentile, from the book of a cashier who handles one order at a time.
 * @param {readonly HandledOrder[]} handled in the order of processing
 * @returns {Explanation | null} null without orders
 */
export function explainSlowest(handled) {
  const byWait = [...handled].sort((a, b) => waitOf(a) - waitOf(b));
  const slow = byWait[Math.ceil(0.999 * byWait.length) - 1];
  if (slow === undefined) return null;
  const { admittedAt, takenAt } = slow;
  const waited = processorWaits(handled);
  const waitedIn = (/** @type {number} */ from, /** @type {number} */ to) => waited(to) - waited(from);

  let behindMs = 0;
  for (const earlier of handled.slice(0, handled.indexOf(slow))) {
    const from = Math.max(earlier.takenAt, admittedAt);
    const to = Math.min(earlier.decidedAt, takenAt);
    if (from < to) behindMs += to - from - waitedIn(from, to);
  }
  const waitMs = waitOf(slow);
  const processorMs = waitedIn(admittedAt, takenAt);
  return {
    waitMs,
    behindMs,
    processorMs: slow.processorWaits === undefined ? null : processorMs,
    otherMs: Math.max(0, waitMs - behindMs - processorMs),
  };
}

/**
 * Returns a function of the time: how long the cashier's thread had waited for a processor by then. Between two entries
 * of the book, the wait is taken to have been even.
 * @param {readonly HandledOrder[]} handled
 */
function processorWaits(handled) {
  /** @type {{ at: number, ms: number }[]} */
  const known = handled.flatMap(({ takenAt, decidedAt, processorWaits: waits }) =>
    waits === undefined
      ? []
      : [
          { at: takenAt, ms: waits.taken },
          { at: decidedAt, ms: waits.decided },
        ],
  );
  return (/** @type {number} */ time) => {
    const next = known.findIndex(({ at }) => at >= time);
    const [before, after] = [known[next - 1], known[next]];
    if (before === undefined || after === undefined) return after?.ms ?? 0;
    const share = (time - before.at) / (after.at - before.at);
    return before.ms + share * (after.ms - before.ms);
  };
}

/** @param {HandledOrder} order */
function waitOf({ admittedAt, takenAt }) {
  return takenAt - admittedAt;
}
