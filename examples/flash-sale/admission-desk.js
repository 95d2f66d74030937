// @ts-check
import { answerToAdmission, answerToBadOrder, BROKEN } from './answers.js';
import { monotonicMs } from './clock.js';
import { BadOrder, parseOrder } from './order-schema.js';

/**
 * An entry of the server's own book, which the server keeps apart from the ledger, so that the verdicts can compare
 * the two.
 * @typedef {object} AdmittedOrder
 * @property {string} reservation
 * @property {number} id
 * @property {number} user
 * @property {number} sku
 * @property {number} quantity
 * @property {number} admittedBy  monotonicMs() just after gate.admit() had returned
 * @property {number} [step]      of a sale of several processes: its place among the changes of the stock
 */

const FAILURES_KEPT = 10;

/** Passes the text of an order through the gate, returns the answer, and writes down each admitted order. */
export class AdmissionDesk {
  /** @type {import('./sale.js').Sale['gate']} */
  gate;

  /** @type {AdmittedOrder[]} every order admitted, once, in the order of admission */
  admitted = [];

  /** @type {unknown[]} the first few errors that the gate threw for good orders */
  failures = [];

  /** @param {import('./sale.js').Sale['gate']} gate */
  constructor(gate) {
    this.gate = gate;
  }

  /**
   * @param {string} text
   * @returns {import('./answers.js').Answer | Promise<import('./answers.js').Answer>}
   */
  answer(text) {
    try {
      const order = parseOrder(text);
      return this.noted(order, this.gate.admit(recordOf(order)));
    } catch (error) {
      return this.failed(error);
    }
  }

  /**
   * Writes an order that was admitted into the book. Returns the answer to its client.
   * @param {import('./order-schema.js').OrderRequest} order
   * @param {import('./answers.js').Admission} admission
   */
  noted({ id, user, sku, quantity }, admission) {
    if (admission.outcome === 'admitted' && !admission.duplicate) {
      const reservation = String(admission.reservation);
      this.admitted.push({ reservation, id, user, sku, quantity, admittedBy: monotonicMs() });
    }
    return answerToAdmission(admission);
  }

  /**
   * Returns the answer to the client whose order was bad, or with whose order the gate failed.
   * @param {unknown} error
   */
  failed(error) {
    if (error instanceof BadOrder) return answerToBadOrder(error.field, error.message);
    if (this.failures.length < FAILURES_KEPT) this.failures.push(error);
    return BROKEN;
  }
}

/** @param {import('./order-schema.js').OrderRequest} order */
export function recordOf({ id, user, sku, quantity }) {
  return { orderId: id, user, sku, quantity, admittedAt: monotonicMs() };
}
