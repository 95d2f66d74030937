/**
 * A trap is one file of this folder that shows how a naive version fails and how sluice does not, and measures both. It
 * is a program,
 *
 *   node bench/traps/<name>.js [--quick] [--rounds N] [--json]
 *
 * and run.js starts each in its own process, so that no trap is measured with the heap, threads or compiled code of
 * another. `--quick` is for tests: short rounds, whose counts are meaningful and whose timings are not.
 *
 * @typedef {object} Figure
 * @property {string} id
 * @property {string} what
 * @property {import('../harness/runner/units.js').Unit} unit
 * @property {false} [compare] present if neither direction is better
 * @property {number[] | string} naive a sample for each round; or the outcome in words
 * @property {number[] | string} sluice
 * @property {number} [atLeast] how many times better sluice must be
 *
 * @typedef {object} Series a value over time, in both versions
 * @property {string} what
 * @property {import('../harness/runner/units.js').Unit} unit
 * @property {number[]} atMs
 * @property {number[]} naive
 * @property {number[]} sluice
 *
 * @typedef {object} Seen a claim that every run must show on any machine: it follows from counts, not from timings
 * @property {string} claim
 * @property {boolean} holds
 *
 * @typedef {object} Measured
 * @property {Figure[]} figures
 * @property {Seen[]} seen
 * @property {Series[]} [series]
 * @property {string[]} [missing] parts that could not be measured here, with the reason
 *
 * @typedef {{ trap: string, title: string } & Required<Measured>} Result
 *
 * @typedef {{ quick: boolean, rounds: number }} Settings
 *
 * @typedef {object} Trap
 * @property {string} title
 * @property {(settings: Settings) => Promise<Measured>} measure
 * @property {Record<string, (data: any) => unknown>} [roles] the functions of the trap's threads and child processes
 */
import { once } from 'node:events';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { runNode } from './child.js';
import { resultText } from './text.js';

/**
 * The last line of a trap's file calls this: it acts as the program itself, or as a thread or child process that the
 * program started.
 * @param {string} url of the trap's file
 * @param {Trap} trap
 */
export async function runTrap(url, { title, measure, roles = {} }) {
  if (!isMainThread) {
    await act(roles, workerData.role, workerData.data);
    return;
  }
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      json: { type: 'boolean', default: false },
      role: { type: 'string' },
      data: { type: 'string' },
    },
  });
  if (values.role !== undefined) {
    await act(roles, values.role, JSON.parse(values.data ?? 'null'));
    return;
  }
  const { quick } = values;
  const rounds = Number(values.rounds ?? (quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
    throw new RangeError(`--rounds: expected a whole number from 1 to 100, got ${values.rounds}`);
  }
  const trap = basename(fileURLToPath(url), '.js');
  /** @type {Result} */
  const result = { trap, title, series: [], missing: [], ...(await measure({ quick, rounds })) };
  console.log(values.json ? JSON.stringify(result) : resultText(result));
  if (result.seen.some(({ holds }) => !holds)) process.exitCode = 1;
}

/** @param {Record<string, (data: any) => unknown>} roles @param {string} role @param {unknown} data */
async function act(roles, role, data) {
  const play = roles[role];
  if (play === undefined) throw new Error(`no role ${role}`);
  await play(data);
}

/**
 * Starts a thread of the trap in `url` that plays a role.
 * @param {string} url
 * @param {string} role
 * @param {unknown} data
 */
export function thread(url, role, data) {
  return new Worker(new URL(url), { workerData: { role, data } });
}

/**
 * Returns the thread's next message; rejects if the thread fails or ends before.
 * @param {Worker} worker
 * @returns {Promise<any>}
 */
export async function answerOf(worker) {
  const ended = new AbortController();
  worker.once('exit', () => ended.abort(new Error('the thread ended without an answer')));
  const [answer] = await once(worker, 'message', { signal: ended.signal });
  return answer;
}

/**
 * Runs a process of the trap in `url` that plays a role, until it ends. Each line that it writes is a JSON value.
 * @param {string} url
 * @param {string} role
 * @param {unknown} data
 * @param {{ execArgv?: string[], patienceMs?: number }} [options] a process that takes longer than `patienceMs` is
 *   killed
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null, lines: any[], errors: string }>}
 */
export async function processOf(url, role, data, { execArgv = [], patienceMs = 120_000 } = {}) {
  const program = [fileURLToPath(url), `--role=${role}`, `--data=${JSON.stringify(data)}`];
  const { code, signal, output, errors } = await runNode([...execArgv, ...program], patienceMs);
  const lines = output.split('\n').filter((line) => line !== '');
  return { code, signal, lines: lines.map((line) => JSON.parse(line)), errors };
}
