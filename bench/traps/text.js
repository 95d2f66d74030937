/** Results of traps as text. */
import { spread } from '../harness/runner/statistics.js';
import { digits, formOf, valueText } from '../harness/runner/units.js';

/** @typedef {import('./trap.js').Figure} Figure */
/** @typedef {import('./trap.js').Result} Result */

/** A series is shown at about this many points. */
const POINTS = 10;

/**
 * @param {Result} result
 * @returns {string}
 */
export function resultText({ title, figures, series, seen, missing }) {
  return [
    title,
    '',
    ...table([head, ...figures.map(row)]),
    ...series.flatMap(seriesText),
    '',
    ...seen.map(({ claim, holds }) => `  ${holds ? 'seen' : 'NOT SEEN'}: ${claim}`),
    ...missing.map((reason) => `  not measured here: ${reason}`),
  ].join('\n');
}

export const head = ['', 'naive', 'sluice', 'ratio'];

/** @param {Figure} figure */
export function row(figure) {
  const { what, unit, naive, sluice } = figure;
  return [what, samplesText(naive, unit), samplesText(sluice, unit), ratioText(figure)];
}

/** @param {string[][]} rows */
export function table(rows) {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows.map((cells) => {
    const padded = cells.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `  ${padded.join('   ')}`.trimEnd();
  });
}

/**
 * Returns how many times better sluice is; undefined if the values are words, cannot be divided, or are not to be
 * compared.
 * @param {Figure} figure
 */
export function ratioOf({ compare, unit, naive, sluice }) {
  if (compare === false || typeof naive === 'string' || typeof sluice === 'string') return undefined;
  const [more, less] = formOf(unit).better === 'less' ? [naive, sluice] : [sluice, naive];
  const ratio = spread(more).median / spread(less).median;
  return Number.isFinite(ratio) ? ratio : undefined;
}

/** @param {Figure} figure */
function ratioText(figure) {
  const ratio = ratioOf(figure);
  if (ratio === undefined) return '-';
  const { atLeast } = figure;
  const bar =
    atLeast === undefined ? '' : ratio >= atLeast ? ` (>= ${atLeast}: met)` : ` (>= ${atLeast}: MISSED)`;
  return `${digits(ratio)} x${bar}`;
}

/** @param {number[] | string} samples @param {import('../harness/runner/units.js').Unit} unit */
function samplesText(samples, unit) {
  if (typeof samples === 'string') return samples;
  const { median, min, max } = spread(samples);
  const text = (/** @type {number} */ value) => textOf(value, unit);
  return min === max ? text(median) : `${text(median)} (${text(min)} to ${text(max)})`;
}

/** @param {import('./trap.js').Series} series */
function seriesText({ what, unit, atMs, naive, sluice }) {
  const step = Math.max(1, Math.ceil((atMs.length - 1) / POINTS));
  const shown = (/** @type {number[]} */ values, /** @type {(value: number) => string} */ text) =>
    values.filter((_, i) => i % step === 0 || i === values.length - 1).map(text);
  const text = (/** @type {number} */ value) => textOf(value, unit);
  return [
    '',
    ...table([
      ['after', ...shown(atMs, (ms) => `${(ms / 1_000).toFixed(1)} s`)],
      [`${what}, naive`, ...shown(naive, text)],
      [`${what}, sluice`, ...shown(sluice, text)],
    ]),
  ];
}

/** @param {number} value @param {import('../harness/runner/units.js').Unit} unit */
function textOf(value, unit) {
  return unit === 'count' && Number.isInteger(value) ? value.toLocaleString('en-US') : valueText(value, unit);
}
