// @ts-check
import { AdmissionDesk, recordOf } from './admission-desk.js';
import { parseOrder } from './order-schema.js';

/** The outcomes with which an order goes to the stream: no room, or its id went there before. */
const OF_THE_STREAM = new Set(['queue-full', 'reserved-directly']);

/** The desk of `--redis`: an order that finds no room in the queue goes to a stream. */
export class StreamDesk extends AdmissionDesk {
  #till;

  /**
   * @param {import('./sale.js').Sale['gate']} gate
   * @param {import('./stream-till.js').StreamTill} till
   */
  constructor(gate, till) {
    super(gate);
    this.#till = till;
  }

  /**
   * @override
   * @param {string} text
   * @returns {Promise<import('./answers.js').Answer>}
   */
  async answer(text) {
    try {
      const order = parseOrder(text);
      const admission = this.gate.admit(recordOf(order));
      return OF_THE_STREAM.has(admission.outcome)
        ? await this.#till.answer(order)
        : this.noted(order, admission);
    } catch (error) {
      return this.failed(error);
    }
  }
}
