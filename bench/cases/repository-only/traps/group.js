/** Naive versions and sluice compared: see bench/traps. */
import { whyNot } from '../../../harness/repository-only/native/native-program.js';
import { runTrapNamed } from '../../../traps/all.js';

const NAIVE = 'naive';
const SLUICE = 'sluice';

/**
 * @typedef {{ id: string, title: string, unit: import('../../../harness/runner/units.js').Unit, native?: true }}
 * TrapFigure
 */

/**
 * The figures of each trap that are compared here; `npm run traps` shows the rest.
 * @type {Record<string, TrapFigure[]>}
 */
const chosen = {
  'leaked-senders': [
    { id: 'waiting', title: 'senders waiting at the most', unit: 'count' },
    { id: 'leaked', title: 'waiters left when every sender has its answer', unit: 'count' },
    { id: 'heap', title: 'heap that they hold', unit: 'bytes' },
  ],
  'false-sharing': [
    {
      id: 'add',
      title: 'locked add of two threads, counters 8 or 128 bytes apart',
      unit: 'ns',
      native: true,
    },
    {
      id: 'ring/1p',
      title: "the core's ring, 1 producer, words packed or padded",
      unit: '1/s',
      native: true,
    },
    {
      id: 'ring/4p',
      title: "the core's ring, 4 producers, words packed or padded",
      unit: '1/s',
      native: true,
    },
    { id: 'atomics', title: 'Atomics.add of two threads, 8 or 128 bytes apart', unit: 'ns' },
  ],
  'yielding-loop': [
    { id: 'loop/p50', title: 'push to read beside busy threads, median', unit: 'ns' },
    { id: 'loop/p99', title: 'push to read beside busy threads, 99 % within', unit: 'ns' },
  ],
  'unbounded-queue': [{ id: 'lost', title: 'orders accepted and lost', unit: 'count' }],
  'several-consumers': [
    { id: 'overtaken', title: 'orders served after a later one', unit: 'count' },
    { id: 'rate', title: 'orders served', unit: '1/s' },
  ],
  'two-steps': [
    { id: 'oversold', title: 'units oversold', unit: 'count' },
    { id: 'ghosts-full', title: 'ghost deductions: queue full', unit: 'count' },
    { id: 'ghosts-dead', title: 'ghost deductions: threads died', unit: 'count' },
  ],
  'no-ttl': [
    { id: 'zombies', title: 'requests handled after their client left', unit: 'count' },
    { id: 'left', title: 'clients that left without an answer', unit: 'count' },
  ],
};
const noCompiler = await whyNot();

const lockedAdd = {
  claim: 'false sharing: a locked add beside another, 8 bytes apart vs 128',
  of: { figure: 'traps/false-sharing/add', subject: NAIVE },
  to: { figure: 'traps/false-sharing/add', subject: SLUICE },
  atLeast: 3,
};

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'traps',
  title: 'Traps',
  about:
    'Naive versions and how they fail, compared with sluice under the same load. Each is a program in ' +
    'bench/traps that explains itself; `npm run traps` shows all of their figures.',
  roundsMax: 3,
  comparisons: Object.entries(chosen).map(([trap, figures]) => comparison(trap, figures)),
  bars: noCompiler === undefined ? [lockedAdd] : [],
};

/**
 * A trap measures both sides at once: the naive case runs the trap, and sluice's case uses the rest of its result.
 * @param {string} trap
 * @param {TrapFigure[]} figures
 */
function comparison(trap, figures) {
  const here = figures.filter(({ native }) => native === undefined || noCompiler === undefined);
  /** @type {Promise<import('../../../traps/trap.js').Result> | undefined} */
  let running;
  /** @param {import('../../../harness/runner/group.js').Scale} scale */
  const naive = async ({ quick }, /** @type {import('../../../harness/runner/group.js').Plot} */ plot) => {
    running = runTrapNamed(trap, { quick, rounds: 1 });
    const result = await running;
    plotSeries(result, NAIVE, plot);
    return samplesOf(result, NAIVE);
  };
  const sluice = async (
    /** @type {unknown} */ _,
    /** @type {import('../../../harness/runner/group.js').Plot} */ plot,
  ) => {
    if (running === undefined) throw new Error('the trap has not run');
    const result = await running;
    plotSeries(result, SLUICE, plot);
    return samplesOf(result, SLUICE);
  };
  return {
    title: trap,
    figures: here.map(({ id, title, unit }) => ({ id: `traps/${trap}/${id}`, title, unit })),
    cases: [
      { subject: NAIVE, run: naive },
      { subject: SLUICE, run: sluice },
    ],
  };
}

/** @param {import('../../../traps/trap.js').Result} result @param {'naive' | 'sluice'} side */
function samplesOf({ trap, figures, seen }, side) {
  const missed = seen.filter(({ holds }) => !holds).map(({ claim }) => claim);
  if (missed.length > 0) throw new Error(`not seen: ${missed.join('; ')}`);
  return Object.fromEntries(
    figures.flatMap((figure) => {
      const samples = figure[side];
      return typeof samples === 'string' ? [] : [[`traps/${trap}/${figure.id}`, samples[0] ?? Number.NaN]];
    }),
  );
}

/**
 * @param {import('../../../traps/trap.js').Result} result @param {'naive' | 'sluice'} side @param
 * {import('../../../harness/runner/group.js').Plot} plot
 */
function plotSeries({ series }, side, plot) {
  for (const { what, unit, atMs, ...sides } of series) {
    plot(
      what,
      unit,
      sides[side].map((value, i) => [atMs[i] ?? Number.NaN, value]),
    );
  }
}
