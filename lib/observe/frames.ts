import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { cut, type Figure, figuresOf } from './figures.js';
import { outcomesOf } from './metric-table.js';
import type { Parts, Readings } from './parts.js';
import type { RedisWatch } from './redis-watch.js';
import { rowsMax, type WorkerRow, type WorkerRows } from './workers.js';

/** A counter: how fast it has grown since the last frame, and its value. */
interface Rate {
  readonly name: string;
  readonly rate: number;
  readonly total: number;
}

/** What the page shows at one moment. Rates are per second. A part that is not observed is absent. */
export interface Frame {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly queue?: {
    readonly depth: number;
    readonly capacity: number;
    readonly waiting: number;
    readonly in: number;
    readonly out: number;
    readonly waits?: {
      readonly p50: number | null;
      readonly p99: number | null;
      readonly p999: number | null;
    };
  };
  readonly refused?: number;
  readonly outcomes?: readonly Rate[];
  readonly inHand?: number;
  readonly tiers?: readonly Rate[];
  readonly inFlight?: number;
  readonly stock?: ReadonlyArray<{ item: string; available: number; reserved: number; sold: number }>;
  readonly loop: { readonly lateMs: number; readonly busy: number };
  readonly workers: readonly WorkerRow[];
  readonly crew?: readonly Figure[];
  readonly redis?: readonly Figure[];
  readonly notices: readonly Notice[];
}

interface Notice {
  readonly isAlarm: boolean;
  readonly text: string;
}

/** What a page shows besides the parts. */
export interface Others {
  readonly workers: WorkerRows;
  readonly crew: { stats(): object } | undefined;
  readonly redis: RedisWatch | undefined;
}

/** The share of a queue's capacity from which on the page raises an alarm. */
const fullShare = 0.8;
/** How many items are named that are sold out. */
const soldOutMax = 10;
/** A consumer of a Redis stream that asks for nothing for this long is silent, in milliseconds. */
const silentMs = 60_000;
/** How often the delay of the event loop is sampled, in milliseconds. */
const sampleMs = 20;

/** Makes frames: each is about the time since the one before. */
export class Frames {
  readonly #parts: Parts;
  readonly #others: Others;
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: sampleMs });
  #last: { readonly at: number; readonly readings: Readings };
  #utilization = performance.eventLoopUtilization();

  constructor(parts: Parts, others: Others) {
    this.#parts = parts;
    this.#others = others;
    attempt('', () => others.workers.rows(), []); // rates need a beginning
    this.#last = { at: performance.now(), readings: parts.readNow() };
    this.#delay.enable();
  }

  end(): void {
    this.#delay.disable();
  }

  next(): Frame {
    const now = { at: performance.now(), readings: this.#parts.readNow() };
    const before = this.#last.readings;
    const seconds = Math.max(0.001, (now.at - this.#last.at) / 1_000);
    const perSecond = (value: number, earlier = 0): number => Math.max(0, value - earlier) / seconds;
    this.#last = now;
    const { queue, gate, limiter, stock } = now.readings;
    const outcomes = gate && ratesOf(outcomesOf(gate), before.gate && outcomesOf(before.gate), perSecond);
    const tiers = limiter && ratesOf(limiter.refused, before.limiter?.refused, perSecond);
    const refused = (outcomes ?? tiers)?.filter(({ name }) => !welcome.includes(name));
    const failures: Notice[] = [];
    const { workers, crew, redis } = this.#others;
    redis?.ask();
    const rows = attempt('workers', () => workers.rows(), failures) ?? [];
    const ofCrew = attempt('crew', () => crew && crewFigures(crew.stats()), failures);
    const ofRedis = attempt('redis', () => redis?.figures(), failures);
    const units = stock?.units.map(({ item, counts: { available, reserved, sold } }) => {
      return { item, available, reserved, sold };
    });
    return {
      at: Date.now(),
      ...(queue && {
        queue: {
          ...{ depth: queue.depth, capacity: queue.room, waiting: queue.waiting },
          in: perSecond(queue.pushed, before.queue?.pushed),
          out: perSecond(queue.popped, before.queue?.popped),
          ...waitsOf(queue, before.queue),
        },
      }),
      ...(refused && { refused: refused.reduce((sum, { rate }) => sum + rate, 0) }),
      ...(outcomes && gate && { outcomes, inHand: gate.inHand }),
      ...(tiers && limiter && { tiers, inFlight: limiter.inFlight }),
      ...(units && units.length > 0 && { stock: units }),
      loop: this.#loop(),
      workers: [...rows, ...consumerRows(redis)],
      ...(ofCrew && { crew: ofCrew }),
      ...(ofRedis && { redis: ofRedis }),
      notices: [...failures, ...noticesOf(queue, units ?? [], redis)],
    };
  }

  #loop(): Frame['loop'] {
    // The histogram holds the time between two samples.
    const lateMs = this.#delay.count === 0 ? 0 : Math.max(0, this.#delay.percentile(99) / 1e6 - sampleMs);
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    this.#utilization = performance.eventLoopUtilization();
    this.#delay.reset();
    return { lateMs, busy: utilization };
  }
}

/** The outcomes of orders that were not refused. */
const welcome: readonly string[] = ['admitted', 'duplicate', 'requeued'];

function ratesOf(
  totals: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>> | undefined,
  perSecond: (value: number, earlier?: number) => number,
): Rate[] {
  return Object.entries(totals).map(([name, total]) => ({
    name,
    rate: perSecond(total, before?.[name]),
    total,
  }));
}

function waitsOf(now: NonNullable<Readings['queue']>, before: Readings['queue']): object {
  if (now.waits === undefined) return {};
  const recent = before?.waits === undefined ? now.waits.all : now.waits.all.since(before.waits.all);
  const at = (share: number): number | null => (recent.count === 0 ? null : recent.quantile(share) / 1e6);
  return { waits: { p50: at(0.5), p99: at(0.99), p999: at(0.999) } };
}

/** Calls a function of the program. That it fails is an alarm on the page, and does not end the process. */
function attempt<T>(name: string, read: () => T, failures: Notice[]): T | undefined {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Error ? cut(error.message) : 'it threw no error';
    failures.push({ isAlarm: true, text: `The figures of the option ${name} cannot be read: ${why}` });
    return undefined;
  }
}

function crewFigures(stats: object): Figure[] {
  const { workers, ...figures } = stats as { workers?: unknown };
  return figuresOf('Crew', Array.isArray(workers) ? { workers: workers.length, ...figures } : figures);
}

function consumerRows(redis: RedisWatch | undefined): WorkerRow[] {
  return (redis?.consumers ?? []).slice(0, rowsMax).map(({ name, pending, idleMs }) => ({
    name: cut(`Redis: ${name}`),
    state: idleMs < silentMs ? 'up' : 'silent',
    inHand: pending,
  }));
}

function noticesOf(
  queue: Readings['queue'],
  units: NonNullable<Frame['stock']>,
  redis: RedisWatch | undefined,
): Notice[] {
  const notices: Notice[] = [];
  if (queue !== undefined && queue.depth > fullShare * queue.room) {
    notices.push({ isAlarm: true, text: 'The queue is more than 80 % full: consumers do not keep up.' });
  }
  if (redis?.trouble !== undefined) notices.push({ isAlarm: true, text: redis.trouble });
  const gone = units.filter(({ available, reserved, sold }) => available <= 0 && reserved + sold > 0);
  notices.push(
    ...itemNotice(
      'Sold out',
      gone.filter(({ reserved }) => reserved === 0),
    ),
    ...itemNotice(
      'Nothing is available, but held units may come back',
      gone.filter(({ reserved }) => reserved > 0),
    ),
  );
  if (redis !== undefined && redis.deadLetters > 0)
    notices.push({ isAlarm: false, text: `Dead letters in Redis: ${redis.deadLetters}.` });
  return notices;
}

/** Returns one notice for all of these items, so that a thousand of them do not fill the page. */
function itemNotice(what: string, units: NonNullable<Frame['stock']>): Notice[] {
  if (units.length === 0) return [];
  const names = units.slice(0, soldOutMax).map(({ item }) => item);
  const rest = units.length > soldOutMax ? ` and ${units.length - soldOutMax} more` : '';
  return [
    { isAlarm: false, text: `${what}: item${units.length === 1 ? '' : 's'} ${names.join(', ')}${rest}.` },
  ];
}
