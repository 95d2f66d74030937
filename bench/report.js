/** The results as text. */
import { judge } from './bars.js';
import { contenderNames } from './contenders/contender.js';
import { figures } from './figures.js';
import { spread } from './statistics.js';

const titles = { sluice: 'sluice', 'atomics-ring': 'Atomics ring', 'message-port': 'MessagePort' };

/** Of each kind of figure its heading, and what is shown of records a second. */
const kinds = {
  'call cost': {
    heading: 'Call cost: push and drain in one thread, nanoseconds a record',
    shown: (/** @type {number} */ perSecond) => 1e9 / perSecond,
  },
  throughput: {
    heading: 'Throughput: producer threads to a consumer on an event loop, million records a second',
    shown: (/** @type {number} */ perSecond) => perSecond / 1e6,
  },
};

/**
 * @param {import('./samples.js').Samples} samples
 * @param {import('./idle-guard.js').IdleGuard} guard
 * @returns {string}
 */
export function report(samples, guard) {
  return [
    ...Object.keys(kinds).map((kind) => figureTable(/** @type {keyof typeof kinds} */ (kind), samples)),
    barTable(samples),
    guardLine(guard),
  ].join('\n\n');
}

/**
 * @param {keyof typeof kinds} kind
 * @param {import('./samples.js').Samples} samples
 */
function figureTable(kind, samples) {
  const { heading, shown } = kinds[kind];
  const rows = figures
    .filter((figure) => figure.kind === kind)
    .map(({ id, title }) => [
      title,
      ...contenderNames.map((contender) => spreadText(spread(samples.of(id, contender).map(shown)))),
    ]);
  return table(heading, [['', ...contenderNames.map((contender) => titles[contender])], ...rows]);
}

/** @param {import('./samples.js').Samples} samples */
function barTable(samples) {
  const rows = judge(samples).map(({ claim, against, ratio, atLeast, met }) => [
    `${titles[against]}: ${claim}`,
    spreadText(ratio),
    atLeast === undefined ? '' : `>= ${atLeast}`,
    met === undefined ? '' : met ? 'met' : 'MISSED',
  ]);
  return table('sluice against the others: how many times as fast, round by round', [
    ['', 'ratio', 'bar', ''],
    ...rows,
  ]);
}

/** @param {import('./idle-guard.js').IdleGuard} guard */
function guardLine({ description, idle, gaveUp, busiest }) {
  if (gaveUp === 0) return `All ${idle} measurements began on an idle machine (${description}).`;
  const busiestPercent = Math.round(busiest * 100);
  return (
    `The idle guard (${description}) gave up before ${gaveUp} of ${idle + gaveUp} measurements: ` +
    `the machine was up to ${busiestPercent} % busy. Do not quote these figures.`
  );
}

/** @param {import('./statistics.js').Spread} spread */
function spreadText({ median, min, max }) {
  return `${digits(median)} (${digits(min)}-${digits(max)})`;
}

/** @param {number} value */
function digits(value) {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/**
 * @param {string} heading
 * @param {string[][]} rows
 */
function table(heading, rows) {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('   ')
      .trimEnd(),
  );
  return [heading, ...lines.map((line) => `  ${line}`)].join('\n');
}
