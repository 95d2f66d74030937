/**
 * rate-limiter-flexible, RateLimiterCluster: one limit for the processes of node:cluster, which ask their primary by
 * IPC. This is the package's way to share a limit on one machine without a server; it has none for threads.
 *
 * It is set up as in its documentation: `RateLimiterClusterMaster` in the primary, in each worker a
 * `RateLimiterCluster` of one `keyPrefix` and a `timeoutMs`. The primary does nothing else. With one call in flight a
 * worker asks, waits for the answer and asks again, as a loop around `await limiter.consume(key)` does, and as sluice's
 * `allow()` does. With 64 in flight, as many requests wait in each worker at any time, and IPC is used as fully as it
 * can be.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';

const GRACE_MS = 30_000;

/**
 * @typedef {object} ClusterRun
 * @property {number} workers
 * @property {number} inFlight in each worker
 * @property {number} warmUpMs
 * @property {number} measuredMs
 */

/**
 * @param {ClusterRun} run
 * @returns {Promise<number>} calls a second, of all workers together
 */
export async function measureCluster(run) {
  const primary = fork(new URL('./rate-limiter-flexible-cluster-primary.js', import.meta.url), {
    env: { ...process.env, CLUSTER_RUN: JSON.stringify(run) },
    execArgv: [],
  });
  const exited = once(primary, 'exit');
  const signal = AbortSignal.timeout(run.warmUpMs + run.measuredMs + GRACE_MS);
  try {
    const [answer] = await Promise.race([
      once(primary, 'message', { signal }),
      exited.then(([code]) => {
        throw new Error(`the primary of the cluster ended with code ${code}`);
      }),
    ]);
    /** @type {{ reports: Array<{ made: number, perSecond: number }>, consumed: number }} */
    const { reports, consumed } = answer;
    const calls = reports.reduce((sum, { made }) => sum + made, 0);
    if (reports.length !== run.workers || consumed !== calls) {
      throw new Error(`${calls} calls of ${reports.length} workers, ${consumed} counted by the primary`);
    }
    return reports.reduce((sum, { perSecond }) => sum + perSecond, 0);
  } finally {
    if (primary.exitCode === null && primary.signalCode === null) primary.disconnect();
    const late = setTimeout(() => primary.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(late);
  }
}
