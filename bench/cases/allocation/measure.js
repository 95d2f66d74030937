/** Runs program.js twice. */
import { inChildProcess } from '../../harness/threads/in-child-process.js';

/** A young generation of this size holds everything that any rival allocates while bytes are counted. */
const SPACE_MB = 1_024;
const COUNTING_BYTES = [
  '--expose-gc',
  `--min-semi-space-size=${SPACE_MB}`,
  `--max-semi-space-size=${SPACE_MB}`,
];
const program = new URL('./program.js', import.meta.url);

/**
 * @param {string} rival its URL
 * @param {{ runs: number, warmUpRuns: number }} extent
 * @returns {Promise<{ push: number, drain: number, perMillion: number }>} `push`, `drain`: bytes for each
 *   record pushed or drained; `perMillion`: collections for a million records pushed and drained
 */
export async function measureAllocation(rival, extent) {
  const bytes = await inChildProcess(program, { rival, collections: false, ...extent }, COUNTING_BYTES);
  const collections = await inChildProcess(program, { rival, collections: true, ...extent });
  return { ...bytes, ...collections };
}
