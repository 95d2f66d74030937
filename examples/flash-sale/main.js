// @ts-check
import { BadArgument, HELP, parseOptions } from './options.js';
import { runProcesses } from './processes/run-processes.js';
import { render } from './report-text.js';
import { runSale } from './run-sale.js';

const BROKEN_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;

/** @param {string[]} args */
async function main(args) {
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const report = await (options.processes > 0 ? runProcesses : runSale)(options);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `\n${render(report)}`);
  if (!report.ok) process.exitCode = BROKEN_EXIT_CODE;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof BadArgument) {
    process.stderr.write(`flash-sale: ${error.message}\nTry --help.\n`);
    process.exitCode = USAGE_EXIT_CODE;
  } else {
    console.error(error);
    process.exitCode = BROKEN_EXIT_CODE;
  }
}
