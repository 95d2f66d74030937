// `npm run test:core`: the native core without Node.
//   1. every *_test.cc below here, in four builds: plain, with ASan and UBSan, with TSan, and for aarch64, run by qemu.
//      The last one finds faults of alignment and of the instruction set. It does not find faults of memory order,
//      because qemu runs a program with the memory order of its host: the models find those;
//   2. the models under model/, explored by Relacy;
//   3. the mutation check: each memory order in the `headers` of a model below is weakened in turn, and the model must
//      find a defect. `untried` lists the exceptions. The program is the same as in 2: see mutants.js.
// With arguments, it runs only what they name: see selection.js, or `npm run test:core -- --help`. A program whose
// header or sanitizer is missing is skipped, and counted as skipped.
// Environment: CXX, SLUICE_SEED (replays the stress tests), SLUICE_MODEL_EXECUTIONS.

import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { readSources, writeSources } from '../support/mutated-sources.js';
import {
  aarch64,
  canLink,
  compile,
  fileOfHeader,
  hasHeader,
  host,
  mapping,
  native,
  root,
  run,
  runOn,
  sessions,
  system,
} from './compiler.js';
import { mutantsOf } from './mutants.js';
import { NothingToRun, select } from './selection.js';
import { unitOf, unitsOf } from './units.js';

const here = `${root}test/core`;
const allSources = (await readdir(here, { recursive: true }))
  .filter((name) => name.endsWith('_test.cc'))
  .sort();
// -g1: reports name functions, files and lines. Debug information of variables takes a quarter longer to compile.
// -Og: compilers need a third longer for -O1, with which they inline more before the sanitizers look.
const allBuilds = [
  { name: 'plain', flags: ['-O2'] },
  { name: 'asan', flags: ['-Og', '-g1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'] },
  { name: 'tsan', flags: ['-Og', '-g1', '-fsanitize=thread', '-Wno-tsan'] },
  { name: 'aarch64', flags: ['-O1', '-static', '-DSLUICE_EMULATED'], target: aarch64 },
];
const allModels = [
  { name: 'queue', headers: ['core/queue/ring.h', 'core/queue/doorbell.h'] },
  { name: 'waiting', headers: ['core/base/waiter_list.h', 'core/base/spin_lock.h'] },
  { name: 'tags', headers: ['core/queue/slot_tags.h'] },
  { name: 'quiesce', headers: ['core/base/quiesce.h'] },
  { name: 'deadlines', headers: ['core/stock/deadline_index.h'] },
  // The model also explores user_table.h, but its memory orders are not mutated: no scenario depends on them yet.
  {
    name: 'ledger',
    headers: [
      'core/stock/stock_shard.h',
      'core/stock/item_table.h',
      'core/stock/item_units.h',
      'core/stock/movement_log.h',
      'core/base/free_list.h',
    ],
  },
];
/** Memory orders that no model here can check, each with its line and the reason. */
const untried = [
  {
    header: 'core/stock/movement_log.h', // append()
    line: 'entry.stamp.load(std::memory_order_acquire) == before',
    because: 'it keeps stores in order, which Relacy does by itself',
  },
];
// No mutant has needed more than 2,000 executions to be found.
const executions = process.env.SLUICE_MODEL_EXECUTIONS ?? '100000';
const mutantExecutions = '10000';

const total = { passed: 0, failed: 0, skipped: 0 };
function report(outcome, kind, name, detail, count = 1) {
  total[outcome] += count;
  console.log(`${outcome.padEnd(7)} ${kind.padEnd(7)} ${name}${detail ? `: ${detail}` : ''}`);
}
/** Reports a failure of the build or the run itself. */
function reportFailure(kind, name, error) {
  report('failed', kind, name, error instanceof Error ? error.message : String(error));
}

const selected = selection();
const sources = allSources.filter((source) => selected.suites.includes(suiteOf(source)));
const builds = allBuilds.filter(({ name }) => selected.builds.includes(name));
const models = allModels.filter(({ name }) => selected.models.includes(name));

const scratch = await mkdtemp(join(tmpdir(), 'sluice-core-'));
try {
  const [hasDoctest, hasRelacy] = await Promise.all([
    hasHeader('doctest/doctest.h', scratch),
    hasHeader('relacy/relacy.hpp', scratch),
  ]);
  const work = [];
  if (builds.length > 0 && hasDoctest) {
    work.push(...(await startSuites()));
  } else {
    for (const build of builds) report('skipped', build.name, 'all suites', 'doctest is not installed');
  }
  for (const model of models) {
    if (hasRelacy) {
      work.push(checkModel(model));
    } else {
      report('skipped', 'model', model.name, 'relacy is not installed');
      report('skipped', 'mutant', model.headers.join(' '), 'relacy is not installed');
    }
  }
  await Promise.all(work);
} catch (error) {
  reportFailure('run', 'test:core', error);
} finally {
  await rm(scratch, { recursive: true, force: true });
}
console.log(`test:core: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

/** A suite's name: that of its file. @param {string} source */
function suiteOf(source) {
  return basename(source, '_test.cc');
}

function selection() {
  try {
    return select(process.argv.slice(2), {
      suites: allSources.map(suiteOf),
      builds: allBuilds.map(({ name }) => name),
      models: allModels.map(({ name }) => name),
    });
  } catch (error) {
    if (!(error instanceof NothingToRun)) throw error;
    if (error.exitCode === 0) console.log(error.message);
    else console.error(`test:core: ${error.message}`);
    process.exit(error.exitCode);
  }
}

async function startSuites() {
  // An assertion of doctest is one call without a try block: compilers need a fifth less time. An exception in an
  // assertion still fails its test.
  const fast = '-DDOCTEST_CONFIG_SUPER_FAST_ASSERTS';
  const includes = [`-I${native}`, `-I${here}/support`, '-isystem', await doctestAlone()];
  const units = unitsOf(here, sources, scratch);
  if (sources.some((source) => source.startsWith('session/'))) {
    units.push(unitOf('sessions', sessions, scratch));
  }
  // main.cc, which contains doctest, is compiled once for each target and without sanitizers: with them, no other file
  // takes as long to compile.
  const main = (target) => {
    const object = `${scratch}/main-${target.compiler.replaceAll('/', '')}.o`;
    return compile(['-O0', ...includes, '-c', `${here}/main.cc`, '-o', object], target).then(() => object);
  };
  const hostMain = main(host);
  hostMain.catch(() => {}); // reported by each build that needs it
  return builds.map(async ({ name, flags, target = host }) => {
    if (!(await canLink(flags, scratch, target))) {
      const { compiler, emulator } = target;
      const what = `${compiler} cannot link with ${flags.join(' ')}`;
      report(
        'skipped',
        name,
        'all suites',
        emulator === undefined ? what : `${what}, or there is no ${emulator}`,
      );
      return;
    }
    try {
      const objects = units.map((unit) => `${scratch}/${name}-${unit.name}.o`);
      const build = ({ file }, i) =>
        compile([...flags, fast, ...includes, '-c', file, '-o', objects[i]], target);
      const [mainObject] = await Promise.all([
        target === host ? hostMain : main(target),
        ...units.map(build),
      ]);
      const binary = `${scratch}/${name}`;
      await compile(
        [...flags, ...includes, system, ...mapping, mainObject, ...objects, '-pthread', '-o', binary],
        target,
      );
      const ended = await runOn(target, binary, [], { timeoutSeconds: 600, env: sanitizerOptions() });
      reportSuites(name, ended);
    } catch (error) {
      reportFailure(name, 'build', error);
    }
  });
}

/** A directory that contains only doctest: another system's compiler must not see the headers of this one. */
async function doctestAlone() {
  const directory = `${scratch}/include`;
  await mkdir(directory);
  await symlink(dirname(await fileOfHeader('doctest/doctest.h', scratch)), `${directory}/doctest`);
  return directory;
}

function sanitizerOptions() {
  return {
    ASAN_OPTIONS: `detect_stack_use_after_return=1:${process.env.ASAN_OPTIONS ?? ''}`,
    UBSAN_OPTIONS: `print_stacktrace=1:${process.env.UBSAN_OPTIONS ?? ''}`,
    TSAN_OPTIONS: `halt_on_error=1:second_deadlock_stack=1:${process.env.TSAN_OPTIONS ?? ''}`,
  };
}

/**
 * Reports how many tests of each suite passed, and how many failed, from the lines that main.cc prints. Prints the
 * whole output if the binary ended with an error.
 */
function reportSuites(build, { code, output, seconds, problem }) {
  let failed = 0;
  for (const [, name, passed, failures, took] of output.matchAll(/^suite (.+) (\d+) (\d+) ([\d.]+)$/gm)) {
    failed += Number(failures);
    if (Number(passed) > 0) report('passed', build, name, `${passed} in ${took} s`, Number(passed));
    if (Number(failures) > 0) report('failed', build, name, `${failures} in ${took} s`, Number(failures));
  }
  const seed = output.match(/^SLUICE_SEED=\d+$/m)?.[0] ?? '';
  if (code !== 0) {
    console.log(output);
    if (failed === 0) report('failed', build, 'the whole binary', problem || `exit code ${code}`);
  }
  console.log(`        ${build.padEnd(7)} ran for ${seconds.toFixed(1)} s, ${seed}`);
}

/** Explores a model, and its mutants. */
async function checkModel({ name, headers }) {
  try {
    const { mutants, copies } = mutantsOf(readSources(native, headers));
    const directory = `${scratch}/model-${name}`;
    writeSources(copies, directory);
    const program = `${directory}/model`;
    await compile([
      '-O1',
      ...['-include', `${here}/model/weakened.h`],
      ...[`-I${directory}`, `-I${native}`], // in this order: the compiler finds a copy before the original
      ...[`${here}/model/${name}_model.cc`, system],
      ...['-o', program],
    ]);
    await Promise.all([
      exploreModel(name, program),
      ...mutants.map((mutant) => checkMutant(program, mutant)),
    ]);
  } catch (error) {
    reportFailure('model', name, error);
  }
}

/** Explores all scenarios of a model. @param {number} weakened the number of a mutant, or 0 */
function explore(program, executions, weakened, env = {}) {
  // It computes for half a minute, and for many if other steps of CI leave it little of a processor.
  const variables = { ...env, SLUICE_WEAKENED: String(weakened) };
  return run(program, [executions], { timeoutSeconds: 1_800, env: variables });
}

async function exploreModel(name, program) {
  const { code, output, problem } = await explore(program, executions, 0, { SLUICE_MODEL_HISTORY: '1' });
  for (const [, scenario, count] of output.matchAll(/^model: ok +(.+): (\d+) executions$/gm)) {
    report('passed', 'model', scenario, `${count} executions`);
  }
  if (code === 0) return;
  console.log(output);
  report(
    'failed',
    'model',
    name,
    problem || output.match(/^model: DEFECT +(.*)$/m)?.[1] || `exit code ${code}`,
  );
}

async function checkMutant(program, mutant) {
  const known = untried.find(({ header, line }) => header === mutant.header && mutant.line.includes(line));
  if (known !== undefined) {
    console.log(`        mutant  ${mutant.name}: not tried: ${known.because}`);
    return;
  }
  const { code, output, seconds, problem } = await explore(program, mutantExecutions, mutant.number);
  const defect = output.match(/^model: DEFECT +(.*)$/m)?.[1];
  if (code === 3 && defect) {
    report('passed', 'mutant', mutant.name, `${defect} (${seconds.toFixed(1)} s)`);
  } else {
    report('failed', 'mutant', mutant.name, `survived (${seconds.toFixed(1)} s) ${problem}`);
    if (code !== 0) console.log(output);
  }
}
