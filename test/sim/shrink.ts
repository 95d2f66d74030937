import type { Failure, Trace } from './simulation.js';
import { replay } from './simulation.js';

/**
 * Leaves out the operations without which a trace still fails: delta debugging (A. Zeller, R. Hildebrandt: ddmin),
 * halving chunks of the operations. Makes at most `replays` runs, and at most one that begins after `seconds`.
 */
export async function shrink(failure: Failure, replays = 1_500, seconds = 60): Promise<Failure> {
  let best = failure;
  let left = replays;
  const end = performance.now() + seconds * 1_000;
  const fails = async (trace: Trace): Promise<boolean> => {
    left = performance.now() < end ? left - 1 : 0;
    const error = await replay(trace);
    if (error === undefined || error.name !== failure.error.name) return false;
    best = { trace, error };
    return true;
  };
  for (let chunk = Math.ceil(best.trace.operations.length / 2); chunk >= 1 && left > 0; ) {
    let smaller = false;
    for (let at = 0; at < best.trace.operations.length && left > 0; ) {
      const operations = best.trace.operations.toSpliced(at, chunk);
      if (operations.length > 0 && (await fails({ ...best.trace, operations }))) smaller = true;
      else at += chunk;
    }
    if (chunk === 1 && !smaller) break;
    chunk = chunk === 1 ? 1 : Math.ceil(chunk / 2);
  }
  return best;
}
