import { parseArgs } from 'node:util';

const help = `Usage: npm run bench -- [options]

Compares sluice's queue with a ring in pure JavaScript (Atomics over a SharedArrayBuffer, bench/baseline) and with
MessagePort: what push and drain cost in one thread, and the throughput of 1 and 4 producer threads to a consumer
on an event loop, one record at a time and in batches of 64. Records take 64 bytes.

  --rounds N   rounds, each of which measures every contender in turn (default 5)
  --quick      one short round that does not insist on an idle machine: to see it run, not for figures
  --json       the results as one JSON object on stdout
  --help       this text

Each measurement waits for an idle machine, for two minutes in all. A run takes about five minutes.`;

/**
 * @typedef {object} Settings
 * @property {number} rounds
 * @property {boolean} json
 * @property {{ patienceMs: number, sampleMs: number }} guard
 * @property {import('./figures.js').Durations} durations
 */

/**
 * @param {string[]} args
 * @returns {Settings | string} a string is to be printed, and that is all
 * @throws TypeError, RangeError that name the bad option
 */
export function parseCommandLine(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return help;
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new RangeError(`--rounds: expected a whole number from 1 to 100, got ${values.rounds}`);
  }
  return {
    rounds,
    json: values.json,
    guard: values.quick ? { patienceMs: 0, sampleMs: 100 } : { patienceMs: 120_000, sampleMs: 1_000 },
    durations: values.quick
      ? { benchSeconds: 0.1, warmUpMs: 100, measuredMs: 200 }
      : { benchSeconds: 0.5, warmUpMs: 300, measuredMs: 700 },
  };
}
