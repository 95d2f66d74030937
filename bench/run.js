/** `npm run bench` and `sluice bench`: command-line.js describes the options, and so does --help. */
import { writeFileSync } from 'node:fs';
import { loadGroups } from './cases/index.js';
import { parseCommandLine } from './harness/command-line.js';
import { writeDocs } from './harness/report/docs-table.js';
import { jsonReport } from './harness/report/json.js';
import { describeMachine, machineLine } from './harness/report/machine.js';
import { page } from './harness/report/page.js';
import { terminalReport } from './harness/report/terminal.js';
import { checkGroups } from './harness/runner/check-groups.js';
import { IdleGuard } from './harness/runner/idle-guard.js';
import { judge } from './harness/runner/judge.js';
import { runGroups } from './harness/runner/run-groups.js';

/** @typedef {import('./harness/command-line.js').Settings} Settings */

/**
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
 */
export async function bench(args) {
  const settings = parsed(args);
  if (settings === undefined) return 2;
  if (typeof settings === 'string') return said(settings);
  const all = await loadGroups();
  checkGroups(all);
  if (settings.list) return said(all.map(({ name, title }) => `${name.padEnd(14)}${title}`).join('\n'));
  const unknown = settings.only.filter((name) => !all.some((group) => group.name === name));
  if (unknown.length > 0) {
    console.error(
      `--only: no group ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`,
    );
    return 2;
  }
  const groups = all.filter(({ name }) => settings.only.length === 0 || settings.only.includes(name));
  return measured(groups, settings);
}

/** @param {import('./harness/runner/group.js').Group[]} groups @param {Settings} settings */
async function measured(groups, { rounds, scale, guard: limits, json, html, writeDocs: isForDocs, check }) {
  const machine = describeMachine();
  const guard = new IdleGuard(limits);
  const startedAt = new Date();
  progress(`${machineLine(machine)}; ${rounds} round${rounds === 1 ? '' : 's'}`);
  const results = await runGroups(groups, { rounds, scale, guard, progress });
  const run = {
    machine,
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1_000,
    rounds,
    quick: scale.quick,
    groups,
    results,
    guard,
  };
  if (html !== undefined) writeFileSync(html, page(run));
  if (isForDocs) writeDocs(new URL('../docs/guide/benchmarks.md', import.meta.url), run);
  console.log(json ? JSON.stringify(jsonReport(run), null, 2) : `\n${terminalReport(run)}`);
  const barsHold = groups
    .flatMap((group) => judge(group, results.samples))
    .every(({ outcome }) => outcome === 'met' || outcome === 'reported');
  return results.failures.length > 0 || (check && !barsHold) ? 1 : 0;
}

/** @param {string[]} args */
function parsed(args) {
  try {
    return parseCommandLine(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return undefined;
  }
}

/** @param {string} text */
function said(text) {
  console.log(text);
  return 0;
}

/** @param {string} line */
function progress(line) {
  console.error(line);
}
