/**
 * What is known of a call whose cost or rate is measured. A module exports `cases`, by name; workers load
 * them by file and name, so that each is measured in threads of its own.
 *
 * @typedef {object} Caller one thread's end
 * @property {number} calls how many a turn makes
 * @property {() => void | Promise<void>} turn makes them: this is timed
 * @property {() => void | Promise<void>} [rest] between turns, not timed: drains what the turn filled
 * @property {(calls: number) => void | Promise<void>} check throws unless every one of the `calls` made so far had the outcome
 *   that the case is named after. Asked after the last rest
 * @property {() => void | Promise<void>} [close]
 *
 * @typedef {object} Shared what all threads of one measurement call upon
 * @property {unknown} data goes to each of them by structured clone
 * @property {() => void | Promise<void>} dispose
 *
 * @typedef {object} Case
 * @property {(data: any) => Caller | Promise<Caller>} open
 * @property {() => Shared | Promise<Shared>} [share] once for each measurement
 * @property {() => string | undefined} [unavailable] why it cannot be measured here
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
