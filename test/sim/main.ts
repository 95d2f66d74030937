// Simulates sluice against its auditor: see `usage`.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { seedRange, wholeNumber } from '../support/seed-arguments.js';
import { shrink } from './shrink.js';
import { explore, type Failure, hasFailed, replay, type Trace } from './simulation.js';

const usage = `npm run sim -- [options]
  --seed N           the seed of one run
  --seeds A-B        the seeds of several; default: 1-100
  --fresh SECONDS    then fresh seeds, for so long
  --steps M          operations of a run; default: 300
  --trace FILE       instead: runs the trace that an earlier failure has written`;

interface Result {
  passed: number;
  failed: number;
}

async function main(): Promise<Result> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1-100' },
      fresh: { type: 'string', default: '0' },
      steps: { type: 'string', default: '300' },
      trace: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit();
  }
  if (values.trace !== undefined) return again(values.trace);
  const [first, last] = seedRange(values.seed, values.seeds);
  const steps = wholeNumber('--steps', values.steps, 1, 1_000_000);
  const freshSeconds = wholeNumber('--fresh', values.fresh, 0, 86_400);
  const result = { passed: 0, failed: 0 };
  process.stdout.write(`seeds, ${steps} steps each:`);
  for (let seed = first; seed <= last && result.failed === 0; seed++) await tryOut(seed, steps, result);
  const end = performance.now() + freshSeconds * 1_000;
  for (let seed = Date.now() % 2 ** 31; performance.now() < end && result.failed === 0; seed++) {
    await tryOut(seed, steps, result);
  }
  return result;
}

async function tryOut(seed: number, steps: number, result: Result): Promise<void> {
  // Printed before the run, so that the seed is known if the run crashes.
  process.stdout.write(` ${seed}`);
  const run = await explore(seed, steps);
  if (hasFailed(run)) report(seed, steps, run, await shrink(run));
  result[hasFailed(run) ? 'failed' : 'passed']++;
}

async function again(file: string): Promise<Result> {
  const error = await replay(JSON.parse(readFileSync(file, 'utf8')) as Trace);
  if (error === undefined) return { passed: 1, failed: 0 };
  console.log(`${error.name}: ${error.message}`);
  return { passed: 0, failed: 1 };
}

function report(seed: number, steps: number, failure: Failure, { trace, error }: Failure): void {
  const directory = new URL('../../sim-traces/', import.meta.url);
  const file = new URL(`${seed}.json`, directory);
  const operations = trace.operations.map((operation) => JSON.stringify(operation));
  const text = `{"scenario": ${JSON.stringify(trace.scenario)},\n"operations": [\n${operations.join(',\n')}\n]}\n`;
  mkdirSync(directory, { recursive: true });
  writeFileSync(file, text);
  console.log(`

Seed ${seed} fails at step ${failure.trace.operations.at(-1)?.name}: npm run sim -- --seed ${seed} --steps ${steps}
${operations.length} of ${failure.trace.operations.length} operations are enough: npm run sim -- --trace ${file.pathname}

${text}
${error.name}: ${error.message}
`);
  if (error.name !== 'Divergence') console.log(error.stack);
}

try {
  const { passed, failed } = await main();
  console.log(`\nsim: ${passed} passed, ${failed} failed, 0 skipped`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error && 'code' in error ? `${error.message}\n${usage}` : error);
  process.exitCode = 2;
}
