// Reads the --json report of a quick benchmark and checks that everything was measured, but not how fast:
//
//   node .ci/bench.js <report> <page> <exit status of the benchmark>

import { readFileSync } from 'node:fs';

const [file = '', page = '', status] = process.argv.slice(2);
const { groups, failures, machine } = JSON.parse(readFileSync(file, 'utf8'));

const checks = new Map([
  ['exit code 0', status === '0'],
  ['no case failed', failures.length === 0],
  ['the machine is described', machine.processors > 0 && machine.node === process.version],
  ['the page is complete', /^<!doctype html>.*<\/html>\s*$/s.test(readFileSync(page, 'utf8'))],
]);
for (const { name, figures, bars } of groups) {
  const left = []; // what this Node.js cannot run
  for (const { id, subjects } of figures) {
    for (const { subject, skip, samples = [] } of subjects) {
      if (skip !== undefined) left.push(subject);
      const isMeasured = samples.length > 0 && samples.every(Number.isFinite);
      checks.set(`${id} of ${subject}`, isMeasured || skip !== undefined);
    }
  }
  for (const { claim, outcome, limit } of bars) {
    const isJudged = limit === '' || outcome === 'met' || outcome === 'missed';
    checks.set(`${name}: "${claim}" is judged`, isJudged || left.some((subject) => claim.includes(subject)));
  }
}

for (const [name, holds] of checks) if (!holds) console.log(`FAIL ${name}`);
if (failures.length > 0) console.log(JSON.stringify(failures, undefined, 2));
const passed = [...checks.values()].filter(Boolean).length;
console.log(`benchmark: ${passed} passed, ${checks.size - passed} failed, 0 skipped`);
process.exitCode = passed === checks.size ? 0 : 1;
