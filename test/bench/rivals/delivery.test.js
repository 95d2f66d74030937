import { describe, expect, it } from 'vitest';
import { measureCallCost } from '../../../bench/cases/call-cost/measure.js';
import { measureIsolated } from '../../../bench/cases/repository-only/peers/isolated.js';
import { measureThroughput } from '../../../bench/cases/throughput/measure.js';
import { ifInstalled } from '../../../bench/harness/repository-only/if-installed.js';
import { missingPackage } from '../../../bench/harness/repository-only/missing-package.js';
import { measureSpawning } from '../../../bench/harness/repository-only/spawning/measure.js';
import { measureCluster } from '../../../bench/rivals/limiters/rate-limiter-flexible-cluster.js';

// A measurement fails unless every order arrives once and in its producer's order, and the checksums are equal. These
// are the shortest measurements: some hundreds of orders in each phase.
const short = { warmUpMs: 1, measuredMs: 1 };

const patterns = [1, 3].flatMap((producers) => [1, 64].map((batch) => ({ producers, batch })));

const broadcastChannel = await ifInstalled(() => import('../../../bench/rivals/queues/broadcast-channel.js'));
const ringbuf = await ifInstalled(() => import('../../../bench/rivals/queues/ringbuf.js'));
const disruptor = await ifInstalled(() => import('../../../bench/rivals/queues/shared-memory-disruptor.js'));
const zeromq = await ifInstalled(() => import('../../../bench/rivals/queues/zeromq.js'));
const piscina = await ifInstalled(() => import('../../../bench/rivals/queues/piscina.js'));
const threadStream = await ifInstalled(() => import('../../../bench/rivals/queues/thread-stream.js'));
const denque = await ifInstalled(() => import('../../../bench/rivals/queues/denque.js'));
const fastq = await ifInstalled(() => import('../../../bench/rivals/queues/fastq.js'));
const flexible = await ifInstalled(() => import('../../../bench/rivals/limiters/rate-limiter-flexible.js'));

/** @param {string} rival @param {{ producers: number, batch: number }} pattern */
function run(rival, pattern) {
  return { rival, recordBytes: 64, spins: false, ...short, ...pattern };
}

describe.each([
  { title: 'BroadcastChannel', found: broadcastChannel, measure: measureThroughput },
  { title: 'ringbuf.js', found: ringbuf, measure: measureThroughput },
  { title: 'shared-memory-disruptor', found: disruptor, measure: measureIsolated },
  { title: 'zeromq', found: zeromq, measure: measureIsolated },
])('$title', ({ found: { module: { file } = { file: '' }, missing }, measure }) => {
  it.skipIf(missing).each(patterns)(
    'delivers what $producers producers push in batches of $batch',
    async (pattern) => {
      expect(await measure(run(file, pattern))).toBeGreaterThan(0);
    },
  );
});

describe.each([
  { title: 'ringbuf.js', found: ringbuf, measure: measureThroughput },
  { title: 'shared-memory-disruptor', found: disruptor, measure: measureIsolated },
])('$title', ({ found: { module: { file } = { file: '' }, missing }, measure }) => {
  it.skipIf(missing)('delivers to a consumer that spins', async () => {
    const pattern = { ...run(file, { producers: 1, batch: 64 }), spins: true };
    expect(await measure(pattern)).toBeGreaterThan(0);
  });
});

describe.each([
  { title: 'piscina', found: piscina },
  { title: 'thread-stream', found: threadStream },
])('$title', ({ found: { module: { file } = { file: '' }, missing } }) => {
  it.skipIf(missing).each([1, 64])(
    'delivers what is pushed in batches of %i to the consumer that it starts',
    async (batch) => {
      expect(await measureSpawning({ file, batch, ...short })).toBeGreaterThan(0);
    },
  );
});

describe.each([
  { title: 'denque', found: denque },
  { title: 'fastq', found: fastq },
])('$title', ({ found: { module: { file } = { file: '' }, missing } }) => {
  it.skipIf(missing)('delivers within one thread', async () => {
    expect(await measureCallCost({ rival: file, batch: 1, ...short })).toBeGreaterThan(0);
  });
});

describe.skipIf(flexible.missing)('rate-limiter-flexible cluster', () => {
  it('counts every call of two worker processes in one limit', async () => {
    expect(await measureCluster({ workers: 2, inFlight: 4, ...short })).toBeGreaterThan(0);
  });
});

describe('a rival that is not installed', () => {
  /** @param {string} what */
  const errorOf = (what) => import(/* @vite-ignore */ what).catch((error) => error);

  it('is distinguished from one that is broken', async () => {
    expect(missingPackage(await errorOf('no-such-rival'))).toBe('not installed');
    const unbuilt = new Error('Could not locate the bindings file. Tried: build/disruptor.node');
    expect(missingPackage(unbuilt)).toBe('not installed: its binary was not built');
    expect(
      missingPackage(await errorOf(new URL('../../../bench/rivals/no-such-file.js', import.meta.url).href)),
    ).toBeUndefined();
    expect(missingPackage(new TypeError('Disruptor is not a constructor'))).toBeUndefined();
  });
});
