/** The harness's part of a consumer thread that the rival starts itself. */
import { deliveryCheck } from '../../traffic.js';

/** @typedef {import('../../traffic.js').Received & { finishedAt: bigint }} Report */

/**
 * @param {(report: Report) => void} allArrived called when the last order of a phase has arrived
 * @returns {(order: import('../../traffic.js').Order) => void} the function to call with every order
 */
export function reportingVisit(allArrived) {
  return deliveryCheck(1, (received) => {
    allArrived({ ...received, finishedAt: process.hrtime.bigint() });
  });
}
