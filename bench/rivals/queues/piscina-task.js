/** The worker's side of piscina: the function `handle`, which it calls with every task. */

import { reportingVisit } from '../../harness/repository-only/spawning/consumer.js';
import { NUMBERS, packedView } from '../built-in/packed-orders.js';

/** @typedef {import('../../harness/traffic.js').Order} Order */

/** @type {import('../../harness/repository-only/spawning/consumer.js').Report | undefined} */
let report;
const visit = reportingVisit((arrived) => {
  report = arrived;
});
const view = packedView(64);
const order = /** @type {Order} */ (view);

/**
 * @param {Float64Array | number[]} task
 * @returns a report of the received orders, if the task contains the last order of a phase; otherwise undefined
 */
export function handle(task) {
  report = undefined;
  view.values = task;
  for (view.at = 0; view.at < task.length; view.at += NUMBERS) visit(order);
  return report;
}
