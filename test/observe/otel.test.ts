import { context, ROOT_CONTEXT, type SpanContext, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  type CollectionResult,
  DataPointType,
  MeterProvider,
  type MetricProducer,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import { activeTrace, instrument, spanContextOf } from 'sluice/otel';
import { afterEach, describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { shop } from './shop.js';

/** A reader that is asked by the test. */
class Reader extends MetricReader {
  protected async onShutdown(): Promise<void> {}
  protected async onForceFlush(): Promise<void> {}
}

interface Point {
  attributes: Record<string, unknown>;
  value: unknown;
}

/** Returns the points of each metric of a collection. */
function pointsOf({ resourceMetrics, errors }: CollectionResult): Record<string, Point[]> {
  expect(errors).toEqual([]);
  const all = resourceMetrics.scopeMetrics.flatMap(({ scope, metrics }) => {
    expect(scope.name).toBe('sluice');
    return metrics;
  });
  return Object.fromEntries(
    all.map(({ descriptor, dataPoints }) => [
      `${descriptor.name} ${descriptor.unit}`,
      dataPoints.map(({ attributes, value }) => ({ attributes, value })),
    ]),
  );
}

/** A provider whose reader gets the metrics of `instrument`, and the waits. */
function provider(producers: MetricProducer[] = []) {
  const reader = new Reader({ metricProducers: producers });
  return { meterProvider: new MeterProvider({ readers: [reader] }), reader };
}

describe('instrument', () => {
  it('exports the figures of a queue, a limiter, a stock and a gate, and stops', async () => {
    const { queue, limiter, stock, gate, sell } = shop();
    const { meterProvider, reader } = provider();
    const labels = { shop: 'web' };
    const instrumented = instrument({ meterProvider, queue, limiter, stock, gate, skus: [1], labels });
    await sell();
    const points = pointsOf(await reader.collect());
    const of = (name: string, attributes: object = {}) =>
      points[name]?.find(
        (point) => JSON.stringify(point.attributes) === JSON.stringify({ ...labels, ...attributes }),
      )?.value;
    expect(of('sluice.queue.records.pushed {record}')).toBe(3);
    expect(of('sluice.queue.records.lost {record}', { reason: 'full' })).toBe(0);
    expect(of('sluice.queue.depth {record}')).toBe(2);
    expect(of('sluice.gate.admissions {order}', { outcome: 'rate-limited' })).toBe(1);
    expect(of('sluice.limiter.decisions {request}', { decision: 'allowed', tier: 'none' })).toBe(3);
    expect(of('sluice.stock.units {unit}', { item: '1', state: 'sold' })).toBe(1);
    instrumented.stop();
    await new Promise((resolve) => setImmediate(resolve));
    queue.tryPop();
    // The SDK goes on to export the last value that it has seen.
    expect(pointsOf(await reader.collect())['sluice.queue.depth {record}']?.[0]?.value).toBe(2);
  });

  it('has a producer of the histogram of waits', async () => {
    const { queue, clock, sell } = shop();
    const { meterProvider } = provider();
    const { waits, stop } = instrument({ meterProvider, queue, labels: { shop: 'web' } });
    const { reader } = provider([waits]);
    await sell(); // a wait of 2 ms
    clock.advance(8);
    queue.tryPop(); // and one of 10 ms
    const collected = await reader.collect();
    const [point] = pointsOf(collected)['sluice.queue.wait.duration s'] ?? [];
    expect(collected.resourceMetrics.scopeMetrics[0]?.metrics[0]?.dataPointType).toBe(
      DataPointType.HISTOGRAM,
    );
    const value = point?.value as {
      buckets: { boundaries: number[]; counts: number[] };
      sum: number;
      count: number;
    };
    expect(point?.attributes).toEqual({ shop: 'web' });
    expect([value.count, value.sum]).toEqual([2, 0.012]);
    const { boundaries, counts } = value.buckets;
    expect(counts).toHaveLength(boundaries.length + 1);
    expect(counts.flatMap((count, i) => (count > 0 ? [boundaries[i]] : []))).toEqual([
      2 ** 21 / 1e9,
      2 ** 24 / 1e9,
    ]);
    stop();
    expect(pointsOf(await reader.collect())).toEqual({});
  });

  it('has no waits of a queue that measures none', async () => {
    const { queue } = shop({ latency: false });
    const { meterProvider } = provider();
    const { reader } = provider([instrument({ meterProvider, queue }).waits]);
    expect(pointsOf(await reader.collect())).toEqual({});
  });

  it('refuses bad options', () => {
    const { queue } = shop();
    for (const [options, message] of [
      [{}, 'instrument: expected a queue'],
      [{ queue, labels: { le: '1' } }, 'instrument: labels: name'],
      [{ queue, meterProvider: 7 }, 'instrument: meterProvider'],
      [{ queue, meterProvider: { getMeter: 5 } }, 'instrument: meterProvider'],
      [{ queue, meter: {} }, 'unknown option "meter"'],
      [undefined, 'instrument: expected an object'],
    ] as const) {
      const error = thrown(() => instrument(mistyped(options)));
      expectError(error, 'ERR_SLUICE_OPTION');
      expect(error.message).toContain(message);
    }
  });
});

describe('the trace of an order', () => {
  const span: SpanContext = {
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '00f067aa0ba902b7',
    traceFlags: 1,
  };
  const text = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  afterEach(() => context.disable());

  it('is that of the active span, and names that span as a remote one', () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    expect(activeTrace()).toBe('');
    context.with(trace.setSpanContext(ROOT_CONTEXT, span), () => expect(activeTrace()).toBe(text));
    const invalid = { ...span, traceId: '0'.repeat(32) };
    context.with(trace.setSpanContext(ROOT_CONTEXT, invalid), () => expect(activeTrace()).toBe(''));
    expect(spanContextOf(text)).toEqual({ ...span, isRemote: true });
  });

  it.each(['', 'x', `${text}0`])('of %j is none', (value) => {
    expect(spanContextOf(value)).toBeUndefined();
  });
});
