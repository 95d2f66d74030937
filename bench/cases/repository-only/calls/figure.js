/** Figures of calls, as cases of a group: see harness/runner/group.js. */
import { caseNamed } from '../../../harness/repository-only/caller.js';
import { measureCalls } from './measure.js';

/** @typedef {import('../../../harness/runner/group.js').Case} FigureCase */
/** @typedef {import('../../../harness/repository-only/caller.js').Calls} Calls */
/** @typedef {import('../../../harness/repository-only/if-installed.js').Found<Calls>} Found */

/**
 * Makes a case for the cost of a call in one thread, in nanoseconds.
 * @param {string} figure its id
 * @param {string} subject
 * @param {Found} found the module of the case
 * @param {string} name of the case there
 * @returns {FigureCase}
 */
export function cost(figure, subject, found, name) {
  return called(subject, found, name, 1, (perSecond) => ({ [figure]: 1e9 / perSecond }));
}

/**
 * Makes a case for the calls a second of all `threads` together.
 * @param {string} figure its id
 * @param {string} subject
 * @param {Found} found the module of the case
 * @param {string} name of the case there
 * @param {number} threads
 * @returns {FigureCase}
 */
export function rate(figure, subject, found, name, threads) {
  return called(subject, found, name, threads, (perSecond) => ({ [figure]: perSecond }));
}

/**
 * @param {string} subject
 * @param {Found} found
 * @param {string} name
 * @param {number} threads
 * @param {(perSecond: number) => Record<string, number>} shown
 * @returns {FigureCase}
 */
function called(subject, { module, missing }, name, threads, shown) {
  if (module === undefined) return { subject, skip: missing, run: () => Promise.reject(new Error(missing)) };
  const skip = caseNamed(module, name).unavailable?.();
  const which = { file: module.file, name };
  return {
    subject,
    ...(skip === undefined ? {} : { skip }),
    run: async ({ warmUpMs, measuredMs }) =>
      shown(await measureCalls({ which, threads, warmUpMs, measuredMs })),
  };
}
