/** Runs the cases of all groups: round by round, and within a round the compared cases one after the other. */
import { Samples } from './samples.js';
import { valueText } from './units.js';

/**
 * @typedef {import('./group.js').Group} Group
 * @typedef {{ title: string, subject: string, unit: import('./units.js').Unit, points: Array<[number, number]> }} Curve
 * @typedef {{ comparison: string, subject: string, round: number, message: string }} Failure
 *
 * @typedef {object} Results
 * @property {Samples} samples
 * @property {Map<string, Curve>} curves
 * @property {Failure[]} failures
 */

/**
 * @param {Group[]} groups
 * @param {object} how
 * @param {number} how.rounds
 * @param {import('./group.js').Scale} how.scale
 * @param {import('./idle-guard.js').IdleGuard} how.guard
 * @param {(line: string) => void} how.progress
 * @returns {Promise<Results>}
 */
export async function runGroups(groups, { rounds, scale, guard, progress }) {
  const results = { samples: new Samples(), curves: new Map(), failures: [] };
  for (let round = 0; round < rounds; round++) {
    for (const group of groups) {
      if (round >= (group.roundsMax ?? rounds)) continue;
      for (const comparison of group.comparisons) {
        await guard.wait();
        const shown = await runComparison(comparison, round, scale, results);
        progress(`${round + 1}/${rounds}  ${group.name}, ${comparison.title}: ${shown.join(', ')}`);
      }
    }
  }
  return results;
}

/**
 * @param {import('./group.js').Comparison} comparison
 * @param {number} round
 * @param {import('./group.js').Scale} scale
 * @param {Results} results
 */
async function runComparison(
  { title: comparison, figures, cases },
  round,
  scale,
  { samples, curves, failures },
) {
  const shown = [];
  for (const { subject, skip, run } of cases) {
    if (skip !== undefined) continue;
    try {
      const measured = await run(scale, (title, unit, points) => {
        curves.set(`${title}\n${subject}`, { title, subject, unit, points });
      });
      for (const { id } of figures) samples.add({ figure: id, subject }, round, sampleOf(measured, id));
      const texts = figures.map(({ id, unit }) => valueText(sampleOf(measured, id), unit));
      shown.push(`${subject} ${texts.join(' ')}`);
    } catch (error) {
      const message = messageOf(error);
      failures.push({ comparison, subject, round, message });
      shown.push(`${subject} FAILED: ${message}`);
    }
  }
  return shown;
}

/** @param {Record<string, number>} measured @param {string} id */
function sampleOf(measured, id) {
  const value = measured[id];
  if (value === undefined || Number.isNaN(value)) throw new Error(`it did not measure ${id}`);
  return value;
}

/** @param {unknown} error */
function messageOf(error) {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
