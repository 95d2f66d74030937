import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';

const help = `Usage: sluice bench [options]          in the repository: npm run bench -- [options]

Compares sluice with a ring in pure JavaScript (Atomics over a SharedArrayBuffer, bench/rivals/atomics-ring) and with
MessagePort; in the repository also with packages from npm. Prints tables, and for every figure that
sluice promises whether it is met.

  --only GROUPS   only these groups of figures, separated by commas; --list names them
  --list          the groups
  --rounds N      rounds, each of which measures all compared cases alternately (default 5)
  --quick         a smoke test: one short round, also on a busy machine; its figures mean nothing
  --no-guard      begin each comparison at once, however busy the machine is
  --json          the results as one JSON object on stdout, instead of tables
  --html FILE     also writes a page with charts
  --write-docs    writes the table of bars into docs/guide/benchmarks.md (in the repository)
  --check         exit with 1 if a bar is missed or was not measured
  --help          this text

Each comparison waits for an idle machine; all of them together wait at most two minutes.`;

/**
 * @typedef {object} Settings
 * @property {number} rounds
 * @property {string[]} only names of groups; empty: all
 * @property {boolean} list
 * @property {boolean} json
 * @property {string | undefined} html
 * @property {boolean} writeDocs
 * @property {boolean} check
 * @property {{ patienceMs: number, sampleMs: number } | undefined} guard
 * @property {import('./runner/group.js').Scale} scale
 */

/**
 * @param {string[]} args
 * @returns {Settings | string} the settings, or a text to print, after which the program ends
 * @throws TypeError, RangeError that name the bad option
 */
export function parseCommandLine(args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      list: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      'no-guard': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      html: { type: 'string' },
      'write-docs': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return help;
  const { quick, list, json, html, check } = values;
  const rounds = Number(values.rounds ?? (quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new RangeError(`--rounds: expected a whole number from 1 to 100, got ${values.rounds}`);
  }
  const only = values.only === undefined ? [] : values.only.split(',');
  if (html !== undefined && !existsSync(dirname(html))) {
    throw new RangeError(`--html: there is no directory ${dirname(html)}`);
  }
  const guard = quick ? { patienceMs: 0, sampleMs: 50 } : { patienceMs: 120_000, sampleMs: 500 };
  return {
    rounds,
    only,
    list,
    json,
    html,
    writeDocs: values['write-docs'],
    check,
    guard: values['no-guard'] ? undefined : guard,
    scale: quick ? { quick, warmUpMs: 50, measuredMs: 100 } : { quick, warmUpMs: 200, measuredMs: 500 },
  };
}
