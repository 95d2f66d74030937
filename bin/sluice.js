#!/usr/bin/env node
/** The command `sluice`. */

import { readFileSync } from 'node:fs';

const usage = `Usage: sluice <command> [options]        (sluice <command> --help names them)

  bench   measures sluice on this machine
  trace   tells where the orders of a running process waited

sluice --version prints the version of the package.`;

// The reader of a pipe may leave before it has read all, as `head` does.
process.stdout.on('error', (error) => {
  if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPIPE') throw error;
  process.exit();
});

const [command, ...args] = process.argv.slice(2);
if (command === 'bench') {
  const { bench } = await import('../bench/run.js');
  process.exitCode = await bench(args);
} else if (command === 'trace') {
  const { trace } = await import('../dist/trace/command.js');
  process.exitCode = await trace(args);
} else if (command === '--version' || command === '-v' || command === 'version') {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
} else if (command === undefined || command === '--help' || command === '-h' || command === 'help') {
  console.log(usage);
} else {
  console.error(`sluice: unknown command ${JSON.stringify(command)}\n\n${usage}`);
  process.exitCode = 2;
}
