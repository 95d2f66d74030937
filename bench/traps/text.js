/** Results of traps as text. */
import { spread } from '../statistics.js';

/** @typedef {import('./trap.js').Figure} Figure */
/** @typedef {import('./trap.js').Result} Result */

/** Points of a series that are shown. */
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
  return [
    unit === '' ? what : `${what}, ${unit}`,
    samplesText(naive),
    samplesText(sluice),
    ratioText(figure),
  ];
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
 * How many times better sluice is; undefined for what is not a number, or cannot be divided.
 * @param {Figure} figure
 */
export function ratioOf({ better, naive, sluice }) {
  if (better === undefined || typeof naive === 'string' || typeof sluice === 'string') return undefined;
  const [more, less] = better === 'less' ? [naive, sluice] : [sluice, naive];
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

/** @param {number[] | string} samples */
function samplesText(samples) {
  if (typeof samples === 'string') return samples;
  const { median, min, max } = spread(samples);
  return min === max ? digits(median) : `${digits(median)} (${digits(min)}-${digits(max)})`;
}

/** @param {import('./trap.js').Series} series */
function seriesText({ what, unit, atMs, naive, sluice }) {
  const step = Math.max(1, Math.ceil((atMs.length - 1) / POINTS));
  const shown = (/** @type {number[]} */ values) =>
    values.filter((_, i) => i % step === 0 || i === values.length - 1).map(digits);
  return [
    '',
    ...table([
      ['over time, ms', ...shown(atMs)],
      [`${what}, naive${unit && `, ${unit}`}`, ...shown(naive)],
      [`${what}, sluice${unit && `, ${unit}`}`, ...shown(sluice)],
    ]),
  ];
}

/** @param {number} value */
function digits(value) {
  if (Number.isInteger(value) || value >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value < 10 ? 2 : 1);
}
