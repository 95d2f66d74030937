/**
 * The process in which isolated.js measures. It sends the result while its threads still run, and waits to be killed.
 */
import { withThreads } from '../../../harness/threads/start-threads.js';
import { throughputOf } from '../../throughput/measure.js';

process.once('disconnect', () => process.kill(process.pid, 'SIGKILL')); // its parent has ended

const { threads, measure } = throughputOf(JSON.parse(process.env['BENCH_RUN'] ?? ''));
await withThreads(threads, async (nextPhase) => {
  const result = await measure(nextPhase).then(
    (perSecond) => ({ perSecond }),
    (error) => ({ failure: error.message }),
  );
  process.send?.(result);
  return new Promise(() => {});
}).catch((error) => process.send?.({ failure: error.message }));
