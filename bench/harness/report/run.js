/**
 * The input of the reports.
 *
 * @typedef {object} Run
 * @property {import('./machine.js').Machine} machine
 * @property {string} startedAt ISO 8601
 * @property {number} seconds that the run took
 * @property {number} rounds
 * @property {boolean} quick
 * @property {import('../runner/group.js').Group[]} groups
 * @property {import('../runner/run-groups.js').Results} results
 * @property {import('../runner/idle-guard.js').IdleGuard} guard
 */

export {};
