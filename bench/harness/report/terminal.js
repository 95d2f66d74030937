/** The results as text. */
import { judge } from '../runner/judge.js';
import { spread } from '../runner/statistics.js';
import { figureText, spreadText } from '../runner/units.js';
import { guardLine } from './guard-line.js';

/**
 * @param {import('./run.js').Run} run
 * @returns {string}
 */
export function terminalReport(run) {
  return [
    ...run.groups.flatMap((group) => [
      heading(group),
      ...group.comparisons.map((each) => figureTable(each, run)),
    ]),
    ...barTable(run),
    ...failureList(run),
    guardLine(run.guard),
  ].join('\n\n');
}

/** @param {import('../runner/group.js').Group} group */
function heading({ title, about }) {
  return `${title}\n${'='.repeat(title.length)}\n${about}`;
}

/**
 * @param {import('../runner/group.js').Comparison} comparison
 * @param {import('./run.js').Run} run
 */
function figureTable({ title, figures, cases }, { results }) {
  const rows = cases.map(({ subject, skip }) => [
    subject,
    ...figures.map(({ id, unit }) => {
      const samples = results.samples.of({ figure: id, subject });
      return samples.length === 0 ? (skip ?? 'not measured') : spreadText(spread(samples), unit);
    }),
  ]);
  const titles = figures.map((figure) => (figures.length === 1 ? '' : figure.title));
  return table(title, [['', ...titles], ...rows]);
}

/** @param {import('./run.js').Run} run */
function barTable({ groups, results }) {
  const rows = groups
    .flatMap((group) => judge(group, results.samples))
    .map(({ claim, unit, value, limit, outcome }) => [
      claim,
      value === undefined ? '' : quotientText(value, unit),
      limit,
      outcome === 'missed' ? 'MISSED' : outcome,
    ]);
  if (rows.length === 0) return [];
  return [table('Bars: medians (min-max) of what each round measured', [['', '', 'bar', ''], ...rows])];
}

/**
 * @param {import('../runner/statistics.js').Spread} spread
 * @param {import('../runner/units.js').Unit | undefined} unit
 */
function quotientText({ median, min, max }, unit) {
  const text = (/** @type {number} */ value) => figureText(value, unit);
  return min === max ? text(median) : `${text(median)} (${text(min)}-${text(max)})`;
}

/** @param {import('./run.js').Run} run */
function failureList({ results: { failures } }) {
  if (failures.length === 0) return [];
  const lines = failures.map(
    ({ comparison, subject, round, message }) =>
      `  ${subject}, ${comparison}, round ${round + 1}: ${message}`,
  );
  return [['Failed', ...lines].join('\n')];
}

/**
 * @param {string} title
 * @param {string[][]} rows
 */
function table(title, rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('   ')
      .trimEnd(),
  );
  return [title, ...lines.filter((line) => line !== '').map((line) => `  ${line}`)].join('\n');
}
