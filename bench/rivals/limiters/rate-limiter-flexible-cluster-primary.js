/**
 * The primary process of the cluster: keeps the limit, starts the workers, and reports the counts of the workers and
 * its own.
 */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RateLimiterClusterMaster } from 'rate-limiter-flexible';

/** @typedef {import('node:cluster').Worker} Worker */

const { workers: count } = JSON.parse(process.env['CLUSTER_RUN'] ?? '');
new RateLimiterClusterMaster();
cluster.setupPrimary({
  exec: fileURLToPath(new URL('./rate-limiter-flexible-cluster-worker.js', import.meta.url)),
});
process.once('disconnect', () => process.exit()); // its parent has ended

const workers = Array.from({ length: count }, () => cluster.fork());
await Promise.all(workers.map((worker) => told(worker, 'ready')));
const reporting = workers.map((worker) => told(worker, 'report'));
for (const worker of workers) worker.send({ bench: 'start' });
const reports = await Promise.all(reporting);
const [first] = /** @type {[Worker, ...Worker[]]} */ (workers);
const counting = told(first, 'consumed');
first.send({ bench: 'count' });
const { consumed } = await counting;
for (const worker of workers) worker.disconnect();
await Promise.all(workers.map((worker) => once(worker, 'exit')));
process.send?.({ reports, consumed });

/**
 * Waits for one message of the benchmark. The workers' other messages are those of the limiter.
 * @param {Worker} worker
 * @param {'ready' | 'report' | 'consumed'} what
 * @returns {Promise<any>}
 */
function told(worker, what) {
  return new Promise((resolve, reject) => {
    worker.on('message', (message) => {
      if (message.bench === what) resolve(message);
    });
    worker.once('exit', (code) => reject(new Error(`a worker of the cluster ended with code ${code}`)));
  });
}
