/**
 * The interface of a call whose cost or rate is measured. A module exports its cases by their names (`cases`). Workers
 * load a case by the module's file and the case's name, so that each case is measured in threads of its own.
 *
 * @typedef {object} Caller one thread's end
 * @property {number} calls calls that a turn makes
 * @property {() => void | Promise<void>} turn makes the calls: this is timed
 * @property {() => void | Promise<void>} [rest] runs between turns, untimed: drains the queues that the turn filled
 * @property {(calls: number) => void | Promise<void>} check throws unless all `calls` made so far had the outcome that
 *   the case is to measure. A thread calls it after its last rest
 * @property {() => void | Promise<void>} [close]
 *
 * @typedef {object} Shared the object that all threads of one measurement call
 * @property {unknown} data goes to each of the threads by structured clone
 * @property {() => void | Promise<void>} dispose
 *
 * @typedef {object} Case
 * @property {(data: any) => Caller | Promise<Caller>} open
 * @property {() => Shared | Promise<Shared>} [share] once for each measurement
 * @property {() => string | undefined} [unavailable] why the case cannot be measured here
 *
 * @typedef {object} Calls a module with cases
 * @property {string} file its URL
 * @property {Record<string, Case>} cases
 *
 * @typedef {object} CaseName
 * @property {string} file of its module
 * @property {string} name
 */

/**
 * @param {CaseName} which
 * @returns {Promise<Case>}
 */
export async function loadCase({ file, name }) {
  return caseNamed(await import(file), name);
}

/**
 * @param {Calls} calls
 * @param {string} name
 */
export function caseNamed({ file, cases }, name) {
  const found = cases[name];
  if (found === undefined) throw new Error(`${file} has no case ${name}`);
  return found;
}
