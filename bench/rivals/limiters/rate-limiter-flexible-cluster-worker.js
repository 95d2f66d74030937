/** A worker process of the cluster: asks the limiter for a given time, and reports how often it was allowed. */
import { once } from 'node:events';
import { RateLimiterCluster } from 'rate-limiter-flexible';
import { EVERYONE, PLENTY } from '../../harness/repository-only/loads/limiter-load.js';

const { inFlight, warmUpMs, measuredMs } = JSON.parse(process.env['CLUSTER_RUN'] ?? '');
const limiter = new RateLimiterCluster({
  keyPrefix: 'bench',
  points: PLENTY,
  duration: 3_600,
  timeoutMs: 3_000,
});
let made = 0;
// The first call is answered when the primary knows the limiter; until then timers delay calls.
await ask();

process.send?.({ bench: 'ready' });
await told('start');
await askFor(warmUpMs);
const perSecond = await askFor(measuredMs);
process.send?.({ bench: 'report', made, perSecond });
await told('count');
const counted = await limiter.get(EVERYONE);
process.send?.({ bench: 'consumed', consumed: counted?.consumedPoints });

async function ask() {
  await limiter.consume(EVERYONE);
  made++;
}

/** @param {number} ms @returns {Promise<number>} calls a second */
async function askFor(ms) {
  const before = made;
  const start = performance.now();
  const end = start + ms;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < end) await ask();
    }),
  );
  return (made - before) / ((performance.now() - start) / 1_000);
}

/**
 * Waits for one message of the benchmark. The other messages are those of the limiter.
 * @param {'start' | 'count'} what
 */
async function told(what) {
  for (;;) {
    const [message] = await once(process, 'message');
    if (message.bench === what) return;
  }
}
