/** Whether a group's bars hold. */
import { spread } from './statistics.js';
import { figureText } from './units.js';

/**
 * @typedef {object} Verdict
 * @property {string} claim
 * @property {string} limit '>= 2', or '' if the value is only reported
 * @property {number | undefined} bound the number of the limit
 * @property {import('./statistics.js').Spread} [value] absent if it was not measured
 * @property {string} sides the subjects of the quotient, or the only one
 * @property {import('./units.js').Unit | undefined} unit of a value that is no quotient
 * @property {'met' | 'missed' | 'reported' | 'not measured'} outcome
 */

/**
 * @param {import('./group.js').Group} group
 * @param {import('./samples.js').Samples} samples
 * @returns {Verdict[]}
 */
export function judge(group, samples) {
  return group.bars.map((bar) => {
    const values = bar.to === undefined ? samples.of(bar.of) : samples.quotients(bar.of, bar.to);
    const { claim, of, to } = bar;
    const sides =
      to === undefined || to.subject === of.subject ? of.subject : `${of.subject} / ${to.subject}`;
    const unit = to === undefined ? unitOf(group, of.figure) : undefined;
    const limit = limitText(bar, unit);
    const bound = bar.atLeast ?? bar.moreThan ?? bar.atMost;
    if (values.length === 0) return { claim, sides, unit, limit, bound, outcome: 'not measured' };
    const value = spread(values);
    return {
      claim,
      sides,
      unit,
      limit,
      bound,
      value,
      outcome: limit === '' ? 'reported' : holds(bar, value.median) ? 'met' : 'missed',
    };
  });
}

/** @param {import('./group.js').Group} group @param {string} figure */
function unitOf({ comparisons }, figure) {
  return comparisons.flatMap(({ figures }) => figures).find(({ id }) => id === figure)?.unit;
}

/** @param {import('./group.js').Bar} bar @param {number} value */
function holds({ atLeast, moreThan, atMost }, value) {
  return !(
    (atLeast !== undefined && value < atLeast) ||
    (moreThan !== undefined && value <= moreThan) ||
    (atMost !== undefined && value > atMost)
  );
}

/**
 * @param {import('./group.js').Bar} bar
 * @param {import('./units.js').Unit | undefined} unit
 */
function limitText({ atLeast, moreThan, atMost }, unit) {
  const text = (/** @type {number} */ limit) =>
    unit === undefined || limit === 0 ? String(limit) : figureText(limit, unit);
  if (atLeast !== undefined) return `>= ${text(atLeast)}`;
  if (moreThan !== undefined) return `> ${text(moreThan)}`;
  return atMost === undefined ? '' : `<= ${text(atMost)}`;
}
