/** The metrics: their names, units and labels, for Prometheus and for OpenTelemetry alike. */
import type { GateStats } from '../gate/index.js';
import type { PartName, Readings } from './parts.js';

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a histogram: what follows the name of the metric. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
}

type Reading<Name extends PartName> = NonNullable<Readings[Name]>;

interface MetricOf<Name extends PartName> {
  /** The part that the metric is about. */
  readonly part: Name;
  /** The name that Prometheus sees. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The name and unit that OpenTelemetry sees; undefined if the metric exists for Prometheus only. */
  readonly otel?: { readonly name: string; readonly unit: string };
  /** How a cluster adds up the metric over its processes. */
  readonly aggregator: 'sum' | 'max';
  readonly samples: (reading: Reading<Name>) => readonly Sample[];
}
export type Metric = { [Name in PartName]: MetricOf<Name> }[PartName];

/** Returns the samples of a metric; none if its part was disposed of. */
export function samplesOf(metric: Metric, readings: Readings): readonly Sample[] {
  const reading = readings[metric.part];
  return reading === undefined ? [] : (metric as MetricOf<PartName>).samples(reading);
}

/** Returns one sample without labels. */
function one(value: number): Sample[] {
  return [{ labels: {}, value }];
}

/** Returns a sample for each value of a label. */
function by(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function counter<Name extends PartName>(
  part: Name,
  name: string,
  unit: string,
  help: string,
  samples: MetricOf<Name>['samples'],
): MetricOf<Name> {
  const otel = { name: `sluice.${part}.${name.replaceAll('_', '.')}`, unit };
  return {
    part,
    name: `sluice_${part}_${name}_total`,
    help,
    type: 'counter',
    otel,
    aggregator: 'sum',
    samples,
  };
}

/** `suffix`: the unit at the end of the name that Prometheus sees. */
function gauge<Name extends PartName>(
  part: Name,
  name: string,
  suffix: string,
  unit: string,
  help: string,
  samples: MetricOf<Name>['samples'],
): MetricOf<Name> {
  const otel = { name: `sluice.${part}.${name}`, unit };
  return {
    part,
    name: `sluice_${part}_${name}${suffix}`,
    help,
    type: 'gauge',
    otel,
    aggregator: 'sum',
    samples,
  };
}

/** The borders of the buckets of waits: 2^14 to 2^34 nanoseconds, where the histogram of a queue is exact. */
export const waitBorders: readonly number[] = Array.from({ length: 21 }, (_, i) => 2 ** (14 + i));
const quantiles = [0.5, 0.9, 0.99, 0.999];

const outcomes: Readonly<Record<string, keyof GateStats>> = {
  admitted: 'admitted',
  duplicate: 'duplicates',
  requeued: 'requeued',
  'rate-limited': 'rateLimited',
  'queue-full': 'queueFull',
  'sold-out': 'soldOut',
  'user-limit': 'userLimit',
  other: 'otherwiseRefused',
};

/** Returns how many orders had each outcome. */
export function outcomesOf(stats: GateStats): Record<string, number> {
  return Object.fromEntries(Object.entries(outcomes).map(([name, figure]) => [name, stats[figure]]));
}

export const metrics: readonly Metric[] = [
  counter('queue', 'records_pushed', '{record}', 'Records pushed to the queue.', ({ pushed }) => one(pushed)),
  counter('queue', 'records_popped', '{record}', 'Records consumed.', ({ popped }) => one(popped)),
  counter(
    'queue',
    'records_lost',
    '{record}',
    'Records that were refused or dropped, by the reason.',
    ({ rejected, expired, dropped, shed, waitersRefused }) =>
      by('reason', { full: rejected, expired, oldest: dropped - shed, shed, waiters: waitersRefused }),
  ),
  gauge('queue', 'depth', '_records', '{record}', 'Records in the queue now.', ({ depth }) => one(depth)),
  gauge('queue', 'capacity', '_records', '{record}', 'The most records, over all lanes.', ({ room }) =>
    one(room),
  ),
  gauge('queue', 'waiting', '_producers', '{producer}', 'Callers that wait for room now.', ({ waiting }) =>
    one(waiting),
  ),
  counter('queue', 'wakeups', '{wakeup}', 'How often a sleeping consumer was woken.', ({ wakeups }) =>
    one(wakeups),
  ),
  {
    part: 'queue',
    name: 'sluice_queue_wait_seconds',
    help: 'How long records waited in the queue. Only with the option latency.',
    type: 'histogram',
    aggregator: 'sum',
    samples: ({ waits }) => {
      if (waits === undefined) return [];
      const { all } = waits;
      const bucket = (le: number | '+Inf', value: number): Sample => ({
        labels: { le },
        value,
        suffix: '_bucket',
      });
      return [
        ...waitBorders.map((ns) => bucket(ns / 1e9, all.below(ns))),
        bucket('+Inf', all.count),
        { labels: {}, value: all.sumNs / 1e9, suffix: '_sum' },
        { labels: {}, value: all.count, suffix: '_count' },
      ];
    },
  },
  {
    ...gauge(
      'queue',
      'wait_recent',
      '_seconds',
      's',
      'Quantiles of the waits between the last two scrapes, within 1.6 %. Only with the option latency.',
      ({ waits }) =>
        waits === undefined
          ? []
          : quantiles.map((quantile) => ({
              labels: { quantile },
              value: waits.recent.quantile(quantile) / 1e9,
            })),
    ),
    aggregator: 'max',
  },
  counter('gate', 'admissions', '{order}', 'Answers of the gate to orders, by the outcome.', (stats) =>
    by('outcome', outcomesOf(stats)),
  ),
  gauge(
    'gate',
    'in_hand',
    '_orders',
    '{order}',
    'Orders that a consumer has and has not decided.',
    ({ inHand }) => one(inHand),
  ),
  counter(
    'gate',
    'redelivered',
    '{order}',
    'How often an order was handed out again, because its consumer had ended.',
    ({ redelivered }) => one(redelivered),
  ),
  counter(
    'limiter',
    'decisions',
    '{request}',
    'Decisions, by the tier that refused.',
    ({ allowed, refused }) => [
      { labels: { decision: 'allowed', tier: 'none' }, value: allowed },
      ...Object.entries(refused).map(([tier, value]) => ({ labels: { decision: 'refused', tier }, value })),
    ],
  ),
  counter(
    'limiter',
    'dry_run_refusals',
    '{request}',
    'Refusals that a dry run allowed all the same.',
    ({ dryRefusals }) => one(dryRefusals),
  ),
  gauge(
    'limiter',
    'in_flight',
    '',
    '{request}',
    'The costs that the depth tier counts now.',
    ({ inFlight }) => one(inFlight),
  ),
  gauge('limiter', 'waiting', '_requests', '{request}', 'Calls of acquire that wait now.', ({ waiting }) =>
    one(waiting),
  ),
  gauge('limiter', 'keys', '', '{key}', 'Keys that the limiter remembers now.', ({ keys }) => one(keys)),
  counter(
    'stock',
    'reservations',
    '{reservation}',
    'Reservations by what became of them. Every one is also counted as reserved.',
    ({ reserved, refused, confirmed, cancelled, expired }) =>
      by('result', { reserved, refused, confirmed, cancelled, expired }),
  ),
  gauge('stock', 'units', '', '{unit}', 'Units of the items, by their state.', ({ units }) =>
    units.flatMap(({ item, counts: { available, reserved, sold } }) =>
      Object.entries({ available, reserved, sold }).map(([state, value]) => ({
        labels: { item, state },
        value,
      })),
    ),
  ),
];
