/**
 * Figures of sluice's objects, and traces of orders, for OpenTelemetry. It needs @opentelemetry/api.
 *
 * @module sluice/otel
 */
import {
  type Attributes,
  metrics as api,
  type BatchObservableCallback,
  isSpanContextValid,
  type MeterProvider,
  type Observable,
  type SpanContext,
  trace,
} from '@opentelemetry/api';
import { type Options, optionError } from '../input/index.js';
import { traceparent } from '../record/index.js';
import { type Metric, metrics, samplesOf } from './metric-table.js';
import { type ObservedParts, Parts, partsOptions } from './parts.js';
import { WaitsProducer } from './waits-producer.js';

export type { ObservedParts } from './parts.js';
export type { CollectedWaits, WaitsProducer } from './waits-producer.js';

/** The options of `instrument`. */
export interface InstrumentOptions extends ObservedParts {
  /** The provider of the meter. Default: the global one of @opentelemetry/api. */
  readonly meterProvider?: Pick<MeterProvider, 'getMeter'> | undefined;
}

/** What `instrument` returns. */
export interface Instrumented extends Disposable {
  /**
   * A producer for the option `metricProducers` of a metric reader of @opentelemetry/sdk-metrics: it adds the histogram
   * `sluice.queue.wait.duration`, which OpenTelemetry has no observable instrument for.
   */
  readonly waits: WaitsProducer;
  /**
   * Reads these objects no more. The SDK may go on to export the last values.
   *
   * @throws Nothing.
   * @example
   * instrumented.stop();
   */
  stop(): void;
}

/**
 * Exports the figures of a queue, a limiter, a stock and a gate by OpenTelemetry: those of `register` of
 * `sluice/metrics`, with the same labels. Each collection calls `stats()` of each object once.
 *
 * @param options The objects, their `labels` (attributes here), the `skus` of the items whose units are exported, and
 *   the `meterProvider`.
 * @returns The producer of waits, and `stop`.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option.
 * @example
 * const { waits } = instrument({ queue, limiter, stock, gate, skus: [1001] });
 */
export function instrument(options: InstrumentOptions): Instrumented {
  const where = 'instrument';
  const given = partsOptions(where, options, ['meterProvider']);
  const parts = new Parts(where, given);
  const meter = checkedProvider(where, given).getMeter('sluice');
  const names = parts.names;
  const observed: Array<readonly [Metric, Observable]> = [];
  for (const metric of metrics) {
    const { part, type, help, otel } = metric;
    if (otel === undefined || !names.includes(part)) continue;
    const about = { description: help, unit: otel.unit };
    const instrument =
      type === 'counter'
        ? meter.createObservableCounter(otel.name, about)
        : meter.createObservableGauge(otel.name, about);
    observed.push([metric, instrument]);
  }
  const callback: BatchObservableCallback = (result) => {
    const readings = parts.read();
    for (const [metric, instrument] of observed) {
      for (const { labels, value } of samplesOf(metric, readings)) {
        const attributes: Attributes = { ...parts.labels, ...labels };
        result.observe(instrument, value, attributes);
      }
    }
  };
  const instruments = observed.map(([, instrument]) => instrument);
  meter.addBatchObservableCallback(callback, instruments);
  const waits = new WaitsProducer(parts);
  const stop = (): void => {
    meter.removeBatchObservableCallback(callback, instruments);
    waits.stop();
  };
  return { waits, stop, [Symbol.dispose]: stop };
}

function checkedProvider(where: string, given: Options): Pick<MeterProvider, 'getMeter'> {
  const provider = given.get('meterProvider');
  if (provider === undefined) return api.getMeterProvider();
  if (
    typeof provider !== 'object' ||
    provider === null ||
    typeof (provider as MeterProvider).getMeter !== 'function'
  ) {
    throw optionError(`${where}: meterProvider`, 'a MeterProvider', provider, true);
  }
  return provider as Pick<MeterProvider, 'getMeter'>;
}

/**
 * Returns the trace of the active span, for a field `traceContext()`; '' if no span is active.
 *
 * @returns The trace context, or ''.
 * @throws Nothing.
 * @example
 * const trace = activeTrace();
 */
export function activeTrace(): string {
  const context = trace.getActiveSpan()?.spanContext();
  if (context === undefined || !isSpanContextValid(context)) return '';
  const { traceId, spanId, traceFlags } = context;
  return traceparent(`00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`);
}

/**
 * Returns the span that a field `traceContext()` names: the parent of the span of a handler of one order, or a link of
 * that of a batch.
 *
 * @param value The value of the field.
 * @returns The context of the span; undefined if the value names none.
 * @throws Nothing.
 * @example
 * const parent = spanContextOf('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
 */
export function spanContextOf(value: string): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceparent(value).split('-');
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}
