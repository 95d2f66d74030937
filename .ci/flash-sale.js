// Reads the report of the flash sale and reports which of its verdicts hold:
//
//   node .ci/flash-sale.js <report> <requests planned> <exit status of the sale>

import { readFileSync } from 'node:fs';

const [file = '', requests, status] = process.argv.slice(2);
const report = JSON.parse(readFileSync(file, 'utf8'));

const checks = new Map([
  ['exit code 0', status === '0'],
  ['report ok', report.ok === true],
  [`${requests} requests answered`, report.requests.answered === Number(requests)],
]);
const verdicts = [
  'nothingOversold',
  'resolvedExactlyOnce',
  'processedInOrder',
  'noneLostWithWorkers',
  'auditPassed',
];
for (const name of verdicts) {
  checks.set(name, report.verdicts[name]?.holds === true);
}

for (const [name, holds] of checks) console.log(`${holds ? 'ok  ' : 'FAIL'} ${name}`);
const passed = [...checks.values()].filter(Boolean).length;
if (passed < checks.size) console.log(JSON.stringify(report, undefined, 2));
console.log(`flash sale: ${passed} passed, ${checks.size - passed} failed, 0 skipped`);
process.exitCode = passed === checks.size ? 0 : 1;
