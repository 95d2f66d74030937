/**
 * `--write-docs`: writes the bars and the measured values as a table between two markers of docs/guide/benchmarks.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { judge } from '../runner/judge.js';
import { figureText } from '../runner/units.js';
import { guardLine } from './guard-line.js';
import { machineLine } from './machine.js';

export const markers = { begin: '<!-- bars: begin -->', end: '<!-- bars: end -->' };

/** @param {URL} file @param {import('./run.js').Run} run */
export function writeDocs(file, run) {
  writeFileSync(file, withTable(readFileSync(file, 'utf8'), barsTable(run)));
}

/**
 * @param {string} text of a document
 * @param {string} table
 * @returns {string} the document with the table between its markers
 * @throws if the document does not have both markers, once each and in order
 */
export function withTable(text, table) {
  const [before, inside, ...more] = text.split(markers.begin);
  const [old, after, ...evenMore] = (inside ?? '').split(markers.end);
  if (old === undefined || after === undefined || more.length > 0 || evenMore.length > 0) {
    throw new Error(`expected ${markers.begin} and ${markers.end} once each`);
  }
  return `${before}${markers.begin}\n\n${table}\n\n${markers.end}${after}`;
}

/** @param {import('./run.js').Run} run @returns {string} Markdown */
export function barsTable({ groups, results, machine, rounds, startedAt, guard }) {
  const rows = groups.flatMap((group) =>
    judge(group, results.samples).map(({ claim, unit, value, limit, outcome }) => {
      const measured =
        value === undefined
          ? ''
          : `${figureText(value.median, unit)} (${figureText(value.min, unit)} to ${figureText(value.max, unit)})`;
      return `| ${group.title} | ${claim.replaceAll('|', '\\|')} | ${measured} | ${limit} | ${outcome === 'missed' ? '**missed**' : outcome} |`;
    }),
  );
  return [
    `${startedAt.slice(0, 10)}, ${machineLine(machine)}; medians (min to max) of ${rounds} rounds.`,
    guardLine(guard),
    '',
    '| group | figure | measured | bar | |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}
