/** Puts figures into docs/guide/traps.md, between the markers of each trap. */
import { readFile, writeFile } from 'node:fs/promises';
import { head, row } from './text.js';

const file = new URL('../../docs/guide/traps.md', import.meta.url);

/**
 * @param {import('./trap.js').Result[]} results
 * @param {string} machine
 */
export async function writeDocs(results, machine) {
  let text = await readFile(file, 'utf8');
  for (const result of results) text = withFigures(text, result, machine);
  await writeFile(file, text);
}

/**
 * Returns `text` with the figures of a trap replaced.
 * @param {string} text
 * @param {import('./trap.js').Result} result
 * @param {string} machine
 */
export function withFigures(text, { trap, figures, missing }, machine) {
  const begin = `<!-- figures of ${trap} -->`;
  const end = `<!-- end of ${trap} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from)
    throw new Error(`docs/guide/traps.md: the markers "${begin}" and "${end}" are not there`);
  const rows = [head, ['---', '---:', '---:', '---:'], ...figures.map(row)].map(
    (cells) => `| ${cells.join(' | ')} |`,
  );
  const notes = missing.map((reason) => `Not measured: ${reason.replaceAll('<', '&lt;')}.\n`);
  const block = ['', ...rows, '', ...notes, `Medians (lowest to highest); ${machine}.`, ''].join('\n');
  return `${text.slice(0, from + begin.length)}\n${block}\n${text.slice(to)}`;
}
