/** The traps, in their order, and how each is run: in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** @typedef {import('./trap.js').Result} Result */

export const traps = [
  'leaked-senders',
  'false-sharing',
  'yielding-loop',
  'unbounded-queue',
  'misaligned-atomics',
  'several-consumers',
  'two-steps',
  'no-ttl',
];

/** A trap that takes longer than this is killed. */
const PATIENCE_MS = 300_000;

/**
 * Runs a trap.
 * @param {string} name
 * @param {{ quick?: boolean, rounds?: number | undefined }} [settings]
 * @returns {Promise<Result>} also if it did not show what it must: see `seen`
 * @throws if it failed, with what it wrote
 */
export async function runTrapNamed(name, { quick = false, rounds } = {}) {
  const args = [fileURLToPath(new URL(`${name}.js`, import.meta.url)), '--json'];
  if (quick) args.push('--quick');
  if (rounds !== undefined) args.push(`--rounds=${rounds}`);
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const [code, signal] = await once(child, 'close');
  if (!output.startsWith('{')) throw new Error(`trap ${name}: ended with ${signal ?? code}: ${errors}`);
  return JSON.parse(output);
}
