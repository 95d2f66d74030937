/** The traps, in their order, and how each is run: in a process of its own. */
import { fileURLToPath } from 'node:url';
import { runNode } from './child.js';

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
  const { code, signal, output, errors } = await runNode(args, PATIENCE_MS);
  if (!output.startsWith('{')) throw new Error(`trap ${name}: ended with ${signal ?? code}: ${errors}`);
  return JSON.parse(output);
}
