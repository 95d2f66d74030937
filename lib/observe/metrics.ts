/**
 * The figures of queues, limiters, stocks and gates as metrics of a Prometheus registry.
 *
 * @module sluice/metrics
 */
import { optionError } from '../input/index.js';
import { type Metric, metrics, type Sample, samplesOf } from './metric-table.js';
import { type ObservedParts, type PartName, Parts, partsOptions } from './parts.js';

export type { ObservedParts } from './parts.js';

/** What sluice uses of a registry. That of `prom-client` has it. */
export interface MetricRegistry {
  /** Adds a metric: an object with `name`, `help`, `type`, `aggregator`, `get()` and `reset()`. */
  registerMetric(metric: never): void;
  /** Removes the metric of that name. */
  removeSingleMetric(name: string): void;
  /** Returns the metric of that name, so that sluice notices that the registry was cleared. */
  getSingleMetric?(name: string): unknown;
}

/** A metric as prom-client has it: `get` returns the values of all objects that were registered. */
class RegisteredMetric {
  /** A registry of the type OpenMetrics changes the name, which `get` must return. */
  name: string;
  readonly help: string;
  readonly type: Metric['type'];
  readonly aggregator: Metric['aggregator'];
  readonly #metric: Metric;
  readonly #sources = new Set<Parts>();

  constructor(metric: Metric) {
    this.#metric = metric;
    this.name = metric.name;
    this.help = metric.help;
    this.type = metric.type;
    this.aggregator = metric.aggregator;
  }

  get sources(): ReadonlySet<Parts> {
    return this.#sources;
  }

  add(parts: Parts): void {
    this.#sources.add(parts);
  }

  /** Returns whether there are sources left. */
  delete(parts: Parts): boolean {
    this.#sources.delete(parts);
    return this.#sources.size > 0;
  }

  get(): object {
    const { name, help, type, aggregator } = this;
    const values = Array.from(this.#sources).flatMap((parts) =>
      samplesOf(this.#metric, parts.read()).map((sample) =>
        withLabels(this.#metric.name, sample, parts.labels),
      ),
    );
    return { name, help, type, aggregator, values };
  }

  /** Does nothing: the counters belong to the objects, and count since their creation. */
  reset(): void {}
}

function withLabels(name: string, { labels, value, suffix }: Sample, more: Parts['labels']): object {
  const all = { ...more, ...labels };
  return suffix === undefined
    ? { labels: all, value }
    : { labels: all, value, metricName: `${name}${suffix}` };
}

/** The metrics of sluice in each registry, by their names. */
const registered = new WeakMap<object, Map<string, RegisteredMetric>>();

/**
 * Adds the figures of a queue, a limiter, a stock and a gate to a registry of `prom-client`, or one like it. Nothing is
 * counted for it: each scrape calls `stats()` of each object once, and `counts()` of each of the `skus`. Several
 * objects of a kind need different `labels`. A scrape leaves out the objects that this thread has disposed of.
 *
 * @param registry The registry.
 * @param options The objects, their `labels`, and the `skus` of the items whose units are exported.
 * @returns A function that removes these objects from the registry.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option, also for labels that
 *   another object of the kind has in this registry; the error of the registry if another metric has one of the names.
 * @example
 * const registry = new Registry(); // of prom-client
 * const unregister = register(registry, { queue, limiter, stock, gate, skus: [1001] });
 */
export function register(registry: MetricRegistry, options: ObservedParts): () => void {
  const where = 'register';
  checkRegistry(where, registry);
  const parts = new Parts(where, partsOptions(where, options));
  const names = parts.names;
  const known = registered.get(registry) ?? new Map<string, RegisteredMetric>();
  registered.set(registry, known);
  for (const name of known.keys()) {
    // It was removed by another's hand: by registry.clear(), for one.
    if (registry.getSingleMetric !== undefined && registry.getSingleMetric(name) === undefined)
      known.delete(name);
  }
  const wanted = metrics.filter(({ part }) => names.includes(part));
  for (const metric of wanted) checkLabels(where, metric.part, parts, known.get(metric.name)?.sources);
  const added: Metric[] = [];
  const remove = (): void => {
    for (const { name } of added.splice(0)) {
      const present = known.get(name);
      if (!present?.sources.has(parts)) continue; // the registry was cleared, and the name is another's by now
      if (present.delete(parts)) continue; // it still has other sources
      known.delete(name);
      registry.removeSingleMetric(name);
    }
  };
  try {
    for (const metric of wanted) {
      const present = known.get(metric.name) ?? newMetric(registry, known, metric);
      present.add(parts);
      added.push(metric);
    }
  } catch (error) {
    remove();
    throw error;
  }
  return remove;
}

function newMetric(
  registry: MetricRegistry,
  known: Map<string, RegisteredMetric>,
  metric: Metric,
): RegisteredMetric {
  const made = new RegisteredMetric(metric);
  registry.registerMetric(made as never);
  known.set(metric.name, made);
  return made;
}

function checkRegistry(where: string, registry: unknown): asserts registry is MetricRegistry {
  const expected = 'a registry with registerMetric() and removeSingleMetric(), as that of prom-client';
  if (typeof registry !== 'object' || registry === null) {
    throw optionError(`${where}: registry`, expected, registry, true);
  }
  const { registerMetric, removeSingleMetric } = registry as Partial<MetricRegistry>;
  if (typeof registerMetric !== 'function' || typeof removeSingleMetric !== 'function') {
    throw optionError(`${where}: registry`, expected, registry, true);
  }
}

/** Two series of one metric must differ in their labels. */
function checkLabels(where: string, part: PartName, { labels }: Parts, sources: Iterable<Parts> = []): void {
  for (const { labels: others, names } of sources) {
    if (!names.includes(part) || textOf(labels) !== textOf(others)) continue;
    throw optionError(
      `${where}: labels`,
      `labels that no other ${part} of the registry has`,
      textOf(labels),
      false,
    );
  }
}

function textOf(labels: Parts['labels']): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
