import { waitBorders } from './metric-table.js';
import type { Parts } from './parts.js';

/** A time as OpenTelemetry has it: seconds since the Unix epoch, and nanoseconds. */
type Time = [number, number];

/** The waits of a queue as a `CollectionResult` of @opentelemetry/sdk-metrics. */
export interface CollectedWaits {
  /** The metric, if the queue measures waits. */
  readonly resourceMetrics: {
    readonly resource: never;
    readonly scopeMetrics: WaitMetrics[];
  };
  /** Always empty. */
  readonly errors: unknown[];
}

interface WaitMetrics {
  readonly scope: { readonly name: string };
  readonly metrics: Array<{
    readonly descriptor: {
      readonly name: string;
      readonly description: string;
      readonly unit: string;
      readonly type: never;
      readonly valueType: 1; // ValueType.DOUBLE
      readonly advice: object;
    };
    readonly aggregationTemporality: 1; // AggregationTemporality.CUMULATIVE
    readonly dataPointType: 0; // DataPointType.HISTOGRAM
    readonly dataPoints: Array<{
      readonly startTime: Time;
      readonly endTime: Time;
      readonly attributes: Record<string, string>;
      readonly value: {
        readonly buckets: { readonly boundaries: number[]; readonly counts: number[] };
        readonly sum: number;
        readonly count: number;
      };
    }>;
  }>;
}

/** A `MetricProducer` of @opentelemetry/sdk-metrics: how long records waited in a queue. */
export class WaitsProducer {
  readonly #parts: Parts;
  readonly #startTime: Time = now();
  #isStopped = false;

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @internal */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Returns the histogram of all waits since the queue's creation.
   *
   * @returns A promise of the collection.
   * @throws Nothing.
   * @example
   * const { resourceMetrics } = await instrumented.waits.collect();
   */
  async collect(): Promise<CollectedWaits> {
    const waits = this.#isStopped ? undefined : this.#parts.read().queue?.waits?.all;
    const scopeMetrics: WaitMetrics[] = [];
    if (waits !== undefined) {
      const below = [...waitBorders.map((ns) => waits.below(ns)), waits.count];
      const counts = below.map((count, i) => count - (below[i - 1] ?? 0));
      const buckets = { boundaries: waitBorders.map((ns) => ns / 1e9), counts };
      const value = { buckets, sum: waits.sumNs / 1e9, count: waits.count };
      const { labels } = this.#parts;
      const times = { startTime: this.#startTime, endTime: now() };
      const descriptor = {
        name: 'sluice.queue.wait.duration',
        description: 'How long records waited in the queue.',
        ...{ unit: 's', type: 'HISTOGRAM' as never, valueType: 1 as const, advice: {} },
      };
      scopeMetrics.push({
        scope: { name: 'sluice' },
        metrics: [
          {
            descriptor,
            aggregationTemporality: 1,
            dataPointType: 0,
            dataPoints: [{ ...times, attributes: { ...labels }, value }],
          },
        ],
      });
    }
    // The reader takes the resource of its own provider.
    return { resourceMetrics: { resource: undefined as never, scopeMetrics }, errors: [] };
  }
}

function now(): Time {
  const ms = Date.now();
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1e6];
}
