/**
 * `npm run traps`: runs every trap and prints what the naive version did, what sluice did, and the ratio.
 *
 *   npm run traps -- [--only NAMES] [--quick] [--rounds N] [--json] [--write-docs]
 *
 * `--write-docs` also puts the figures into docs/guide/traps.md. The exit code is 1 if a trap did not show what it must
 * show on every machine; bars on timings do not change it.
 */
import { parseArgs } from 'node:util';
import { describeMachine, machineLine } from '../harness/report/machine.js';
import { runTrapNamed, traps } from './all.js';
import { writeDocs } from './docs.js';
import { head, resultText, row, table } from './text.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    json: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
  },
});
const chosen = values.only === '' ? traps : values.only.split(',');
const unknown = chosen.filter((name) => !traps.includes(name));
if (unknown.length > 0) {
  console.error(`--only: no trap ${unknown.join(', ')}; there are ${traps.join(', ')}`);
  process.exit(2);
}
if (values.quick && values['write-docs']) {
  console.error('--write-docs: figures of a --quick run mean nothing');
  process.exit(2);
}

const machine = machineLine(describeMachine());
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
const results = [];
for (const name of chosen) {
  const result = await runTrapNamed(name, { quick: values.quick, rounds });
  results.push(result);
  if (!values.json) console.log(`${resultText(result)}\n`);
}
if (values.json) {
  console.log(JSON.stringify({ machine, results }, null, 2));
} else {
  const rows = results.flatMap((result) => [
    [result.title, '', '', ''],
    ...result.figures.map((figure) => row(figure).map((cell, i) => (i === 0 ? `  ${cell}` : cell))),
  ]);
  console.log([machine, '', ...table([head, ...rows])].join('\n'));
}
if (values['write-docs']) await writeDocs(results, machine);
const notSeen = results.flatMap(({ trap, seen }) =>
  seen.filter(({ holds }) => !holds).map(({ claim }) => `${trap}: ${claim}`),
);
for (const claim of notSeen) console.error(`NOT SEEN: ${claim}`);
if (notSeen.length > 0) process.exitCode = 1;
