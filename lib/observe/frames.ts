import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { outcomesOf } from './metric-table.js';
import type { Parts, Readings } from './parts.js';

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
  readonly work: ReadonlyArray<{ readonly name: string; readonly value: number | string }>;
  readonly notices: ReadonlyArray<{ readonly isAlarm: boolean; readonly text: string }>;
}

/** The share of a queue's capacity from which on the page raises an alarm. */
const fullShare = 0.8;
/** How often the delay of the event loop is sampled, in milliseconds. */
const sampleMs = 20;

/** Makes frames: each is about the time since the one before. */
export class Frames {
  readonly #parts: Parts;
  readonly #work: () => Frame['work'];
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: sampleMs });
  #last: { readonly at: number; readonly readings: Readings };
  #utilization = performance.eventLoopUtilization();

  constructor(parts: Parts, work: () => Frame['work']) {
    this.#parts = parts;
    this.#work = work;
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
      work: this.#work(),
      notices: noticesOf(queue, units ?? []),
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

function noticesOf(queue: Readings['queue'], units: NonNullable<Frame['stock']>): Frame['notices'] {
  const notices: Array<Frame['notices'][number]> = [];
  if (queue !== undefined && queue.depth > fullShare * queue.room) {
    notices.push({ isAlarm: true, text: 'The queue is more than 80 % full: consumers do not keep up.' });
  }
  for (const { item, available, reserved, sold } of units) {
    if (available > 0 || reserved + sold === 0) continue;
    const text =
      reserved > 0
        ? `Item ${item}: nothing is available, but held units may come back.`
        : `Item ${item} is sold out.`;
    notices.push({ isAlarm: false, text });
  }
  return notices;
}
