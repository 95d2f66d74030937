/** Figures of calls, as cases of a group: see runner/group.js. */
import { whyNotHere } from '../../../harness/repository-only/caller.js';
import { measureCalls } from './measure.js';

/** @typedef {import('../../../harness/runner/group.js').Case} FigureCase */

/**
 * What a call costs in one thread, in nanoseconds.
 * @param {string} figure its id
 * @param {string} subject
 * @param {string} file relative to bench/
 * @param {string} name of the case there
 * @returns {Promise<FigureCase>}
 */
export async function cost(figure, subject, file, name) {
  return called(subject, { file, name }, 1, (perSecond) => ({ [figure]: 1e9 / perSecond }));
}

/**
 * How many calls `threads` make together, a second.
 * @param {string} figure its id
 * @param {string} subject
 * @param {string} file relative to bench/
 * @param {string} name of the case there
 * @param {number} threads
 * @returns {Promise<FigureCase>}
 */
export async function rate(figure, subject, file, name, threads) {
  return called(subject, { file, name }, threads, (perSecond) => ({ [figure]: perSecond }));
}

/**
 * @param {string} subject
 * @param {import('../../../harness/repository-only/caller.js').CaseName} which
 * @param {number} threads
 * @param {(perSecond: number) => Record<string, number>} shown
 * @returns {Promise<FigureCase>}
 */
async function called(subject, which, threads, shown) {
  const skip = await whyNotHere(which);
  return {
    subject,
    ...(skip === undefined ? {} : { skip }),
    run: async ({ warmUpMs, measuredMs }) =>
      shown(await measureCalls({ which, threads, warmUpMs, measuredMs })),
  };
}
