/** `npm run bench`: see command-line.js for what it does, or run it with --help. */
import { cpus } from 'node:os';
import { judge } from './bars.js';
import { parseCommandLine } from './command-line.js';
import { contenderNames } from './contenders/contender.js';
import { figures } from './figures.js';
import { IdleGuard } from './idle-guard.js';
import { report } from './report.js';
import { Samples } from './samples.js';
import { spread } from './statistics.js';

const settings = settingsOrExit();
const machine = describeMachine();
const guard = new IdleGuard(settings.guard);
const samples = new Samples();

progress(`${machine}; medians (min-max) of ${settings.rounds} rounds`);
for (let round = 1; round <= settings.rounds; round++) {
  for (const figure of figures) {
    const measured = [];
    for (const contender of contenderNames) {
      await guard.wait();
      const perSecond = await figure.measure(contender, settings.durations);
      samples.add(figure.id, contender, perSecond);
      measured.push(`${contender} ${(perSecond / 1e6).toFixed(2)}`);
    }
    progress(`round ${round}, ${figure.kind}, ${figure.title}: ${measured.join(', ')} M/s`);
  }
}
console.log(settings.json ? JSON.stringify(results(), null, 2) : `\n${report(samples, guard)}`);

function settingsOrExit() {
  try {
    const parsed = parseCommandLine(process.argv.slice(2));
    if (typeof parsed !== 'string') return parsed;
    console.log(parsed);
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}

function describeMachine() {
  const processors = cpus();
  return `Node ${process.version} on ${process.platform} ${process.arch}, ${processors.length} x ${processors[0]?.model}`;
}

/** @param {string} line */
function progress(line) {
  console.error(line);
}

/** The content of --json. Samples are in records a second. */
function results() {
  const { idle, gaveUp, busiest } = guard;
  return {
    machine,
    settings,
    idleGuard: { idle, gaveUp, busiest },
    figures: figures.map(({ id, kind, title }) => ({
      id,
      kind,
      title,
      contenders: Object.fromEntries(
        contenderNames.map((name) => [
          name,
          { ...spread(samples.of(id, name)), samples: samples.of(id, name) },
        ]),
      ),
    })),
    bars: judge(samples),
  };
}
