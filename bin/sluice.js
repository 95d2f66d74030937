#!/usr/bin/env node
/** The command `sluice`. */

const [command, ...args] = process.argv.slice(2);
if (command === 'bench') {
  const { bench } = await import('../bench/run.js');
  process.exitCode = await bench(args);
} else {
  console.log('Usage: sluice bench [options]        (sluice bench --help names them)');
  process.exitCode = command === undefined || command === '--help' ? 0 : 2;
}
