import { describe, expect, it } from 'vitest';
import { measureCallCost } from '../../../bench/cases/call-cost/measure.js';
import { measureIsolated } from '../../../bench/cases/repository-only/peers/isolated.js';
import { measureThroughput } from '../../../bench/cases/throughput/measure.js';
import { missingPackage } from '../../../bench/harness/repository-only/missing-package.js';
import { measureSpawning } from '../../../bench/harness/repository-only/spawning/measure.js';
import { whyNotInstalled } from '../../../bench/harness/repository-only/whether-installed.js';
import { measureCluster } from '../../../bench/rivals/limiters/rate-limiter-flexible-cluster.js';

// A measurement fails unless every order came, once, unaltered and in its producer's order: these take the shortest
// there are, some hundreds of orders in each phase.
const short = { warmUpMs: 1, measuredMs: 1 };

const throughThreads = ['rivals/queues/broadcast-channel.js', 'rivals/queues/ringbuf.js'];
const ownProcess = ['rivals/queues/shared-memory-disruptor.js', 'rivals/queues/zeromq.js'];
const ownConsumer = ['rivals/queues/piscina.js', 'rivals/queues/thread-stream.js'];
const oneThread = ['rivals/queues/denque.js', 'rivals/queues/fastq.js'];
const patterns = [1, 3].flatMap((producers) => [1, 64].map((batch) => ({ producers, batch })));

/** @param {string} file */
async function missing(file) {
  return (await whyNotInstalled(file)) !== undefined;
}

/** @param {string} file @param {{ producers: number, batch: number }} pattern */
function run(file, pattern) {
  return { rival: file, recordBytes: 64, spins: false, ...short, ...pattern };
}

for (const file of [...throughThreads, ...ownProcess]) {
  const measure = ownProcess.includes(file) ? measureIsolated : measureThroughput;
  describe.skipIf(await missing(file))(file, () => {
    it.each(patterns)('delivers what $producers producers push by $batch', async (pattern) => {
      expect(await measure(run(file, pattern))).toBeGreaterThan(0);
    });
  });
}

for (const file of ['rivals/queues/ringbuf.js', 'rivals/queues/shared-memory-disruptor.js']) {
  const measure = ownProcess.includes(file) ? measureIsolated : measureThroughput;
  describe.skipIf(await missing(file))(file, () => {
    it('delivers to a consumer that spins', async () => {
      const pattern = { ...run(file, { producers: 1, batch: 64 }), spins: true };
      expect(await measure(pattern)).toBeGreaterThan(0);
    });
  });
}

for (const file of ownConsumer) {
  describe.skipIf(await missing(file))(file, () => {
    it.each([1, 64])('delivers what is pushed by %i to the consumer that it starts', async (batch) => {
      expect(await measureSpawning({ file, batch, ...short })).toBeGreaterThan(0);
    });
  });
}

for (const file of oneThread) {
  describe.skipIf(await missing(file))(file, () => {
    it('delivers within one thread', async () => {
      const pattern = { rival: file, batch: 1, ...short };
      expect(await measureCallCost(pattern)).toBeGreaterThan(0);
    });
  });
}

describe.skipIf(await missing('rivals/limiters/rate-limiter-flexible.js'))(
  'rate-limiter-flexible cluster',
  () => {
    it('counts every call of two worker processes in one limit', async () => {
      expect(await measureCluster({ workers: 2, inFlight: 4, ...short })).toBeGreaterThan(0);
    });
  },
);

describe('a rival that is not installed', () => {
  /** @param {string} what */
  const errorOf = (what) => import(/* @vite-ignore */ what).catch((error) => error);

  it('is told from one that is broken', async () => {
    expect(missingPackage(await errorOf('no-such-rival'))).toBe('not installed');
    const unbuilt = new Error('Could not locate the bindings file. Tried: build/disruptor.node');
    expect(missingPackage(unbuilt)).toBe('not installed: its binary was not built');
    expect(
      missingPackage(await errorOf(new URL('../../../bench/rivals/no-such-file.js', import.meta.url).href)),
    ).toBeUndefined();
    expect(missingPackage(new TypeError('Disruptor is not a constructor'))).toBeUndefined();
  });
});
