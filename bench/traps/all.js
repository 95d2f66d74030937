/** The traps in the order of their numbers. Each runs in its own process. */
import { fileURLToPath } from 'node:url';
import { runNode } from './child.js';

/** @typedef {import('./trap.js').Result} Result */

/** @type {Record<string, URL>} */
const files = {
  'leaked-senders': new URL('./leaked-senders.js', import.meta.url),
  'false-sharing': new URL('./false-sharing.js', import.meta.url),
  'yielding-loop': new URL('./yielding-loop.js', import.meta.url),
  'unbounded-queue': new URL('./unbounded-queue.js', import.meta.url),
  'misaligned-atomics': new URL('./misaligned-atomics.js', import.meta.url),
  'several-consumers': new URL('./several-consumers.js', import.meta.url),
  'two-steps': new URL('./two-steps.js', import.meta.url),
  'no-ttl': new URL('./no-ttl.js', import.meta.url),
};

export const traps = Object.keys(files);

/** A trap that takes longer than this is killed. */
const PATIENCE_MS = 300_000;

/**
 * Runs a trap.
 * @param {string} name
 * @param {{ quick?: boolean, rounds?: number | undefined }} [settings]
 * @returns {Promise<Result>} also if the trap did not show what it must: see `seen`
 * @throws an error that contains the trap's output, if the trap failed
 */
export async function runTrapNamed(name, { quick = false, rounds } = {}) {
  const file = files[name];
  if (file === undefined) throw new RangeError(`no trap ${name}`);
  const args = [fileURLToPath(file), '--json'];
  if (quick) args.push('--quick');
  if (rounds !== undefined) args.push(`--rounds=${rounds}`);
  const { code, signal, output, errors } = await runNode(args, PATIENCE_MS);
  if (!output.startsWith('{')) throw new Error(`trap ${name}: ended with ${signal ?? code}: ${errors}`);
  return JSON.parse(output);
}
