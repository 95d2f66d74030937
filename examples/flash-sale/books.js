// @ts-check
import { CATALOGUE } from './catalogue.js';

/**
 * @typedef {import('./load-threads.js').Findings} Findings
 * @typedef {import('./options.js').Options} Options
 */

/**
 * Collects the books of all sides, after the last entry was written.
 * @param {object} sources
 * @param {import('./sale.js').Sale} sources.sale
 * @param {import('./admission-desk.js').AdmissionDesk} sources.desk
 * @param {import('./cashier.js').CashierBooks} sources.cashierBooks
 * @param {import('./stream-till.js').StreamBooks} [sources.streamBooks]
 * @param {Findings | undefined} sources.findings
 * @param {Options} sources.options
 * @returns {import('./verdicts.js').Books}
 */
export function collectBooks({ sale, desk, cashierBooks, streamBooks, findings, options }) {
  const { stock } = sale;
  const { handled, crew } = cashierBooks;
  return {
    offered: CATALOGUE,
    admitted: [...desk.admitted, ...(streamBooks?.admitted ?? [])],
    handled: [...handled, ...(streamBooks?.handled ?? [])],
    crew,
    stream: streamBooks,
    receipts: findings?.receipts ?? [],
    // Clients from outside do not hand over their receipts, and a lost answer may have been a 202.
    receiptsComplete: findings?.unanswered === 0 && !options.serve,
    ledger: CATALOGUE.map(({ sku }) => ({ sku, ...stock.counts(sku) })),
    auditError: auditError(stock),
  };
}

/**
 * Returns problems that are not a verdict, but make the run worthless.
 * @param {object} sources
 * @param {import('./server.js').OrderServer} sources.server
 * @param {import('./admission-desk.js').AdmissionDesk} sources.desk
 * @param {Findings | undefined} sources.findings
 * @param {Options} sources.options
 * @returns {string[]}
 */
export function findProblems({ server, desk, findings, options }) {
  const problems = desk.failures.map((failure) => `the gate threw ${failure}`);
  if (findings === undefined) return problems;
  if (findings.stopped !== undefined) problems.push(findings.stopped);
  for (const { what, times, heard } of findings.problems)
    problems.push(`${what}; ${times} times it was not so, as in ${heard}`);
  if (findings.answered !== options.requests) {
    problems.push(`${options.requests} requests were planned, ${findings.answered} answered`);
  }
  const [sent, heard] = [JSON.stringify(server.byStatus), JSON.stringify(findings.byStatus)];
  if (!options.serve && findings.unanswered === 0 && sent !== heard) {
    problems.push(`the server answered ${sent}, the clients heard ${heard}`);
  }
  return problems;
}

/** @param {import('./sale.js').Sale['stock']} stock */
function auditError(stock) {
  try {
    stock.audit();
    return undefined;
  } catch (error) {
    return String(error);
  }
}
