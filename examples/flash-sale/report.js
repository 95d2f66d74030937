// @ts-check
import { CATALOGUE } from './catalogue.js';
import { percentiles } from './percentiles.js';
import { explainSlowest } from './slowest.js';
import { allHold } from './verdicts.js';

/**
 * @typedef {import('./percentiles.js').Percentiles} Percentiles
 */

/**
 * Everything known at the end of the sale.
 * @typedef {object} Outcome
 * @property {import('./options.js').Options} options
 * @property {number} elapsedMs       from opening to closing
 * @property {Record<string, number>} byStatus   as the server answered
 * @property {Record<string, number>} byOutcome
 * @property {import('./load-threads.js').Findings | undefined} findings  undefined without built-in load
 * @property {import('./verdicts.js').Books} books
 * @property {import('./verdicts.js').Verdicts} verdicts
 * @property {{ capacity: number, highWater: number | null, stored: number | null }} queue  stored: null without
 *   overflow, highWater: null for a stream
 * @property {import('./loop-watch.js').LoopFigures} loop  of the server
 * @property {number} rssPeakBytes
 * @property {string[]} problems that are not a verdict, but make the run worthless
 */

/**
 * The report as one JSON object; render() in report-text.js makes it readable.
 * @typedef {ReturnType<typeof buildReport>} Report
 */

/** @param {Outcome} outcome */
export function buildReport({ options, findings, books, verdicts, problems, ...rest }) {
  const { handled } = books;
  const answered = Object.values(rest.byStatus).reduce((sum, count) => sum + count, 0);
  return {
    ok: allHold(verdicts) && problems.length === 0,
    verdicts,
    problems,
    requests: {
      planned: options.load ? options.requests : null,
      answered,
      unanswered: findings?.unanswered ?? 0,
      byStatus: rest.byStatus,
      byOutcome: rest.byOutcome,
    },
    load: findings
      ? { users: options.users, connections: options.connections, threads: findings.threads }
      : null,
    elapsedMs: rest.elapsedMs,
    requestsPerSecond: answered / (rest.elapsedMs / 1_000),
    responseMs: findings ? percentiles(findings.responseMs) : null,
    admissionToCashierMs: percentiles(
      Float64Array.from(handled, (order) => order.takenAt - order.admittedAt),
    ),
    admissionToHandledMs: percentiles(
      Float64Array.from(handled, (order) => order.decidedAt - order.admittedAt),
    ),
    // A crew handles several orders at a time, and a stream is not behind the queue.
    slowest:
      books.crew === undefined && books.stream === undefined && books.shops === undefined
        ? explainSlowest(handled)
        : null,
    loop: rest.loop,
    items: CATALOGUE.map(({ sku, name, quantity }) => itemLine(sku, name, quantity, handled)),
    queue: { capacity: rest.queue.capacity, peakDepth: rest.queue.highWater, stored: rest.queue.stored },
    rssPeakBytes: rest.rssPeakBytes,
  };
}

/**
 * @param {number} sku
 * @param {string} name
 * @param {number} offered
 * @param {readonly import('./cashier.js').HandledOrder[]} handled
 */
function itemLine(sku, name, offered, handled) {
  const units = (/** @type {string} */ result) =>
    handled.reduce(
      (sum, order) => sum + (order.sku === sku && order.result === result ? order.quantity : 0),
      0,
    );
  const sold = units('confirmed');
  return { sku, name, offered, sold, returned: units('cancelled'), left: offered - sold };
}
