// `npm run bench:limiter` measures sluice's limiter and its rivals, and rewrites (with --print: prints) the tables
// between the marks in docs/guide/limiter.md: the features of each (read, see features.js), the cost of a call, the
// most calls that it lets through in any one second under patterns that are known to break limiters, and the memory of
// a key.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { IdleGuard } from '../../../harness/runner/idle-guard.js';
import { spread } from '../../../harness/runner/statistics.js';
import { cost } from './cost.js';
import { patterns, worstSecond } from './exactness.js';
import { features } from './features.js';
import { limiters } from './limiters.js';

const help = `Usage: npm run bench:limiter -- [options]

  --rounds N   rounds of the costs, each of which measures all limiters in turn (default 7)
  --quick      one short round that does not insist on an idle machine, for seeing it run
  --print      print the tables, leave docs/guide/limiter.md alone
  --help       this text

Takes about five minutes. Each round waits for an idle machine, for two minutes in all.`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    print: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 7));
if (values.help || !Number.isInteger(rounds) || rounds < 1) {
  console.log(help);
  process.exit(values.help ? 0 : 1);
}
const names = Object.keys(limiters);
const guard = new IdleGuard(
  values.quick ? { patienceMs: 0, sampleMs: 100 } : { patienceMs: 120_000, sampleMs: 1_000 },
);
const say = (/** @type {string} */ text) => process.stderr.write(`${text}\n`);

/** Measures all limiters in each round, one after the other, so that other work of the machine affects all of them. */
async function costs() {
  /** @type {Record<'allows' | 'refuses', Map<string, number[]>>} */
  const samples = {
    allows: new Map(names.map((name) => [name, []])),
    refuses: new Map(names.map((name) => [name, []])),
  };
  for (let round = 1; round <= rounds; round++) {
    await guard.wait();
    say(`cost, round ${round} of ${rounds}`);
    for (const answer of /** @type {const} */ (['allows', 'refuses'])) {
      for (const name of names) {
        samples[answer].get(name)?.push(await cost(name, answer, values.quick ? 20 : 300));
      }
    }
  }
  return samples;
}

async function worst() {
  /** @type {Map<string, number[]>} */
  const found = new Map();
  for (const name of names) {
    say(`worst seconds of ${name}`);
    const ofName = [];
    for (const pattern of Object.values(patterns)) ofName.push(await worstSecond(name, pattern));
    found.set(name, ofName);
  }
  return found;
}

async function memory() {
  /** @type {Map<string, number>} */
  const found = new Map();
  const program = fileURLToPath(new URL('./memory.js', import.meta.url));
  for (const name of names) {
    say(`memory of ${name}`);
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program, name]);
    found.set(name, Number(stdout));
  }
  return found;
}

/**
 * Returns the median of the ratios to sluice's window in the same round: a disturbance that slows a whole round down
 * cancels out.
 * @param {number[]} samples
 */
function besideReference(samples) {
  const reference = allows.get('sluice, window') ?? [];
  return spread(samples.map((sample, round) => sample / (reference[round] ?? 0))).median;
}

/** @param {number[]} samples */
function shown(samples) {
  const { median, min, max } = spread(samples);
  return `${median.toFixed(0)} (${min.toFixed(0)} to ${max.toFixed(0)})`;
}

// Fails here if the marks are missing, before any time is spent on measuring.
const file = new URL('../../../../docs/guide/limiter.md', import.meta.url);
const document = await readFile(file, 'utf8');
const marks = /(<!-- bench:limiter -->\n)[\s\S]*(\n<!-- \/bench:limiter -->)/;
if (!marks.test(document)) throw new Error('docs/guide/limiter.md has lost its marks');

const started = new Date();
const { table, outdated } = features();
const { allows, refuses } = await costs();
const seconds = await worst();
const bytes = await memory();

const heads = [
  'limiter',
  'a call that allows, ns',
  'beside sluice’s window',
  'a call that refuses, ns',
  ...Object.keys(patterns).map((name) => `worst second: ${name}`),
  'bytes a key',
];
const rows = names.map((name) => {
  const samples = allows.get(name) ?? [];
  return [
    name,
    shown(samples),
    `${besideReference(samples).toFixed(2)} x`,
    shown(refuses.get(name) ?? []),
    ...(seconds.get(name) ?? []).map((worstOf) => `${worstOf.toFixed(2)} x`),
    (bytes.get(name) ?? 0).toFixed(0),
  ];
});
const measured = [heads, heads.map(() => '---'), ...rows]
  .map((cells) => `| ${cells.join(' | ')} |`)
  .join('\n');
const [processor] = cpus();
const conditions = `Measured ${started.toISOString().slice(0, 10)} by \`npm run bench:limiter\` on ${cpus().length} x ${
  processor?.model.trim() ?? 'an unknown processor'
}, Node.js ${process.version}, ${rounds} rounds: medians, and the least and the most. ${
  guard.gaveUp === 0
    ? `Each round began on an idle machine (${guard.description}).`
    : `**${guard.gaveUp} of ${rounds} rounds began on a busy machine** (up to ${(guard.busiest * 100).toFixed(0)} % taken by others): only the worst seconds and the memory are to be believed.`
}`;
const warning = outdated.length === 0 ? '' : `\nInstalled is another version than was read: ${outdated}.\n`;
const text = `${table}\n${warning}\n${conditions}\n\n${measured}\n`;

if (values.print) {
  console.log(text);
} else {
  await writeFile(
    file,
    document.replace(marks, (_, begin, end) => `${begin}\n${text}${end}`),
  );
  say('docs/guide/limiter.md is rewritten');
}
process.exit(); // rivals' timers would keep the process alive
