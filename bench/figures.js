/** What is measured. Every figure is taken from every contender, in records a second. */
import { measureCallCost } from './micro/measure.js';
import { measureThroughput } from './throughput/measure.js';

/**
 * @typedef {object} Durations of one measurement
 * @property {number} benchSeconds
 * @property {number} warmUpMs
 * @property {number} measuredMs
 */

/**
 * @typedef {object} Figure
 * @property {string} id
 * @property {'call cost' | 'throughput'} kind
 * @property {string} title
 * @property {(contender: import('./contenders/contender.js').ContenderName, durations: Durations) => Promise<number>} measure
 */

const BATCH = 64;

/** @type {Figure[]} */
export const figures = [
  callCost('call/1', 'one at a time', 1),
  callCost('call/64', 'batches of 64', BATCH),
  throughput('1p/1', '1 producer, one at a time', 1, 1),
  throughput('1p/64', '1 producer, batches of 64', 1, BATCH),
  throughput('4p/1', '4 producers, one at a time', 4, 1),
  throughput('4p/64', '4 producers, batches of 64', 4, BATCH),
];

/**
 * @param {string} id
 * @param {string} title
 * @param {number} batch
 * @returns {Figure}
 */
function callCost(id, title, batch) {
  return {
    id,
    kind: 'call cost',
    title,
    measure: (contender, { benchSeconds }) => measureCallCost({ contender, batch, seconds: benchSeconds }),
  };
}

/**
 * @param {string} id
 * @param {string} title
 * @param {number} producers
 * @param {number} batch
 * @returns {Figure}
 */
function throughput(id, title, producers, batch) {
  return {
    id,
    kind: 'throughput',
    title,
    measure: (contender, { warmUpMs, measuredMs }) =>
      measureThroughput({ contender, producers, batch, warmUpMs, measuredMs }),
  };
}
