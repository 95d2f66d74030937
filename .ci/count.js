// Prints "<passed> <failed> <skipped>" of one step of .ci/run:
//
//   node .ci/count.js <exit status> <log> [<report of vitest's json reporter>]
//
// A step that exits with an error counts as failed, even if none of its tests failed.

import { existsSync, readFileSync } from 'node:fs';

const [status, log = '', report = ''] = process.argv.slice(2);
const succeeded = status === '0';

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @returns {Counts} */
function fromVitest() {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  /** @param {{ status: string, assertionResults: unknown[] }} file */
  const didNotLoad = (file) => file.status === 'failed' && file.assertionResults.length === 0;
  return {
    passed: numPassedTests,
    failed: numFailedTests + testResults.filter(didNotLoad).length,
    skipped: numPendingTests + numTodoTests,
  };
}

/** @returns {Counts} */
function fromLog() {
  const lines = readFileSync(log, 'utf8').matchAll(/^.*: (\d+) passed, (\d+) failed, (\d+) skipped$/gm);
  const last = [...lines].at(-1);
  if (last === undefined) return { passed: succeeded ? 1 : 0, failed: 0, skipped: 0 };
  const [passed = 0, failed = 0, skipped = 0] = last.slice(1).map(Number);
  return { passed, failed, skipped };
}

const { passed, failed, skipped } = report === '' ? fromLog() : fromVitest();
console.log(passed, succeeded ? failed : Math.max(failed, 1), skipped);
