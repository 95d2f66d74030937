/** What the consumer thread of a rival does that started it itself. */
import { deliveryCheck } from '../../traffic.js';

/** @typedef {import('../../traffic.js').Received & { finishedAt: bigint }} Report */

/**
 * @param {(report: Report) => void} allArrived called with the last order of a phase
 * @returns {(order: import('../../traffic.js').Order) => void} to be called with every order
 */
export function reportingVisit(allArrived) {
  return deliveryCheck(1, (received) => {
    allArrived({ ...received, finishedAt: process.hrtime.bigint() });
  });
}
