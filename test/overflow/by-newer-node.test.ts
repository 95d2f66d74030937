import { expect, it } from 'vitest';
import { run } from '../program.js';
import { storeFiles } from './store-files.js';

const vitest = new URL('../../node_modules/vitest/vitest.mjs', import.meta.url);
const newer = storeFiles.find(({ name }) => name === 'sqliteStore')?.node;

it.skipIf(newer === undefined)('the tests within the files of SQLite pass', async () => {
  const args = ['run', '--reporter=json', 'test/overflow/sqlite-'];
  const { stdout, stderr } = await run(vitest, args, { node: newer as string });
  const report = JSON.parse(stdout.slice(stdout.indexOf('{')));
  const { numTotalTests, numPassedTests, numTotalTestSuites } = report;
  expect(numPassedTests, `${stdout}\n${stderr}`).toBe(numTotalTests);
  expect({ files: report.testResults.length, success: report.success }).toEqual({ files: 2, success: true });
  expect(numTotalTestSuites).toBeGreaterThan(2);
});
