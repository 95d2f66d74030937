// @ts-check
import { parentPort, workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { monotonicMs } from './clock.js';
import { Order } from './order-schema.js';
import { Payments } from './payments.js';
import { runQueueOfThisThread } from './run-queue.js';

/**
 * An entry of the cashier's book.
 * @typedef {object} HandledOrder
 * @property {string} reservation
 * @property {number} id
 * @property {number} user
 * @property {number} sku
 * @property {number} quantity
 * @property {boolean} paid
 * @property {string} result the ledger's answer to confirm or cancel
 * @property {number} admittedAt this and the next two times are monotonicMs()
 * @property {number} takenAt
 * @property {number} decidedAt just before confirm or cancel was called
 * @property {number} [step]       of a sale of several processes: the place of the decision among the changes of the
 *   stock
 * @property {{ taken: number, decided: number }} [processorWaits] how many milliseconds the cashier's thread had waited
 *   for a processor, from its beginning to these two times
 */

/**
 * What the cashiers hand over at the end of the sale.
 * @typedef {object} CashierBooks
 * @property {HandledOrder[]} handled
 * @property {import('./crew-books.js').CrewBooks} [crew]  of a crew of cashiers
 */

if (parentPort === null) throw new Error('cashier.js runs as a worker thread: start main.js');

const gate = Gate.attach(Order, workerData.gate);
const payments = new Payments();
const waitedForProcessor = runQueueOfThisThread();

/** @type {HandledOrder[]} in the order in which the queue handed them out */
const handled = [];

// One order at a time: the second buyer is charged only after the first buyer's order is decided.
const allHandled = gate.consume(
  async (order, hold) => {
    const takenAt = monotonicMs();
    const processorWaits = waitedForProcessor && { taken: waitedForProcessor(), decided: 0 };
    const { orderId: id, user, sku, quantity, admittedAt } = order;
    const entry = {
      reservation: String(hold.reservation),
      id,
      user,
      sku,
      quantity,
      paid: false,
      result: 'open',
      admittedAt,
      takenAt,
      decidedAt: 0,
      ...(processorWaits && { processorWaits }),
    };
    handled.push(entry);
    entry.paid = await payments.charge(id);
    entry.decidedAt = monotonicMs();
    if (processorWaits && waitedForProcessor) processorWaits.decided = waitedForProcessor();
    entry.result = entry.paid ? hold.confirm() : hold.cancel();
  },
  { concurrency: 1 },
);

parentPort.postMessage({ type: 'ready' });
await allHandled;
parentPort.postMessage({ type: 'result', value: { handled } });
