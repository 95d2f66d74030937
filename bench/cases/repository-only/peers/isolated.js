/**
 * Throughput of a rival that cannot be measured in the benchmark's own process, because it does not survive the end of
 * its threads. A child process measures it as the group throughput measures its rivals, sends the result, and is
 * killed.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';

/** Longer than the harness waits for its threads. */
const GRACE_MS = 40_000;

/**
 * @param {import('../../throughput/measure.js').Run} run
 * @returns {Promise<number>} records finished a second
 */
export async function measureIsolated(run) {
  const child = fork(new URL('./isolated-run.js', import.meta.url), {
    env: { ...process.env, BENCH_RUN: JSON.stringify(run) },
    execArgv: [],
  });
  const exited = once(child, 'exit');
  const signal = AbortSignal.timeout(run.warmUpMs + run.measuredMs + GRACE_MS);
  try {
    const [{ perSecond, failure }] = await Promise.race([
      once(child, 'message', { signal }),
      exited.then(([code, by]) => {
        throw new Error(`its process ended with ${by ?? `code ${code}`}`);
      }),
    ]);
    if (failure !== undefined) throw new Error(failure);
    return perSecond;
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}
