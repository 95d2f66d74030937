/** The units of figures, and how a value is written with few digits: 8.31 M/s, 412 ns, 1.75 ms, 393 MB. */

/** @typedef {keyof typeof units} Unit */

/** @typedef {{ scales: Array<[from: number, suffix: string]>, better: 'more' | 'less' }} UnitForm */

const units = {
  '1/s': {
    better: 'more',
    scales: [
      [1e9, ' G/s'],
      [1e6, ' M/s'],
      [1e3, ' k/s'],
      [1, ' /s'],
    ],
  },
  ns: {
    better: 'less',
    scales: [
      [1e9, ' s'],
      [1e6, ' ms'],
      [1e3, ' us'],
      [1, ' ns'],
    ],
  },
  bytes: {
    better: 'less',
    scales: [
      [1e9, ' GB'],
      [1e6, ' MB'],
      [1e3, ' kB'],
      [1, ' B'],
    ],
  },
  count: { better: 'less', scales: [[1, '']] },
};

/** @param {Unit} unit @returns {UnitForm} */
export function formOf(unit) {
  return /** @type {UnitForm} */ (units[unit]);
}

/** @param {number} value @param {Unit} unit */
export function valueText(value, unit) {
  if (unit === 'count' && Number.isInteger(value)) return value.toLocaleString('en');
  const [from, suffix] = scaleOf(value, unit);
  return `${digits(value / from)}${suffix}`;
}

/**
 * Formats the median, the smallest and the largest value, all three in the unit that suits the median.
 * @param {import('./statistics.js').Spread} spread
 * @param {Unit} unit
 */
export function spreadText({ median, min, max }, unit) {
  if (min === max) return valueText(median, unit);
  const [from, suffix] = scaleOf(median, unit);
  return `${digits(median / from)}${suffix} (${digits(min / from)}-${digits(max / from)})`;
}

/** Formats a quotient, or the value of a unit. @param {number} value @param {Unit | undefined} unit */
export function figureText(value, unit) {
  return unit === undefined || unit === 'count' ? digits(value) : valueText(value, unit);
}

/** @param {number} value @param {Unit} unit */
function scaleOf(value, unit) {
  const { scales } = formOf(unit);
  const last = /** @type {[number, string]} */ (scales.at(-1));
  return scales.find(([least]) => Math.abs(value) >= least) ?? last;
}

/** Formats a number with few digits: three significant ones if it is from 1 to 999. @param {number} value */
export function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.01) return value.toExponential(1);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}
