const countMax = 2 ** 30 - 1;
/** Longer than any period, so that this long after a moment another period has begun. */
const spanMs = 370 * 86_400_000;

export interface CalendarWindow {
  readonly limit: number;
  readonly every: 'day' | 'week' | 'month' | 'year';
  readonly timeZone?: string;
}
interface Period {
  /** The earliest moment that is known to be in the period. */
  fromMs: number;
  /** The first moment of the next period. */
  readonly untilMs: number;
}

/** A limit in each period of a time zone's calendar. */
export class CalendarAuditor {
  limit: number;
  readonly #calendar: Calendar;
  #count = 0;
  /** The end of the period to which `#count` belongs. */
  #untilMs = 0;

  /** `beganMs`: the limiter's time 0, in milliseconds since 1970. */
  constructor(
    readonly option: CalendarWindow,
    readonly beganMs: number,
  ) {
    const { limit, every, timeZone = 'UTC' } = option;
    this.limit = limit;
    this.#calendar = calendarOf(every, timeZone);
  }

  take(cost: number, now: number): number | undefined {
    if (this.wait(cost, now) !== 0) return undefined;
    this.charge(cost, now);
    return this.#untilMs;
  }
  giveBack(counted: number, cost: number, now: number): void {
    if (this.#period(now).untilMs === counted) this.forget(cost, now);
  }
  charge(cost: number, now: number): void {
    this.#count = Math.min(countMax, this.#used(now) + cost);
    this.#untilMs = this.#period(now).untilMs;
  }
  forget(cost: number, now: number): void {
    this.#count = Math.max(0, this.#used(now) - cost);
    this.#untilMs = this.#period(now).untilMs;
  }
  clear(): void {
    this.#count = 0;
  }
  isChangedBy(): boolean {
    return false;
  }
  changeLength(): void {
    throw new Error('the length of a calendar window cannot be changed');
  }

  remaining(now: number): number {
    return Math.max(0, this.limit - this.#used(now));
  }
  wait(cost: number, now: number): number {
    if (cost > this.limit) return Number.POSITIVE_INFINITY;
    return this.#used(now) + cost <= this.limit ? 0 : this.#end(now) - now;
  }
  leaveTimes(now: number): number[] {
    return [this.#end(now)];
  }
  get limits(): object {
    return { timeZone: 'UTC', ...this.option, limit: this.limit };
  }

  #period(now: number): Period {
    return this.#calendar.period(this.beganMs + Math.floor(now / 1e6));
  }
  #end(now: number): number {
    return (this.#period(now).untilMs - this.beganMs) * 1e6;
  }
  #used(now: number): number {
    return this.#period(now).untilMs === this.#untilMs ? this.#count : 0;
  }
}

/** The periods of a calendar, found with Intl alone. */
class Calendar {
  readonly #known: Period[] = [];
  readonly #format: Intl.DateTimeFormat;

  constructor(
    readonly every: CalendarWindow['every'],
    timeZone: string,
  ) {
    const parts = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone, ...parts });
  }

  period(ms: number): Period {
    const known = this.#known.find(({ fromMs, untilMs }) => fromMs <= ms && ms < untilMs);
    if (known !== undefined) return known;
    const name = this.#nameOf(ms);
    let [last, untilMs] = [ms, ms + spanMs];
    while (untilMs - last > 1) {
      const middle = Math.floor((last + untilMs) / 2);
      if (this.#nameOf(middle) === name) last = middle;
      else untilMs = middle;
    }
    const same = this.#known.find((one) => one.untilMs === untilMs);
    if (same !== undefined) {
      same.fromMs = ms;
      return same;
    }
    const period = { fromMs: ms, untilMs };
    this.#known.push(period);
    return period;
  }

  /** Returns a name for the period that contains `ms`: its date in the zone's calendar; for a week, its Monday's. */
  #nameOf(ms: number): string {
    const parts = this.#format.formatToParts(ms);
    const shown = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 0, day = 0 } = shown as Record<string, number>;
    if (this.every === 'year') return `${year}`;
    if (this.every === 'month') return `${year}-${month}`;
    const date = new Date(Date.UTC(year, month - 1, day));
    if (this.every === 'week') date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
    return date.toISOString();
  }
}

const calendars = new Map<string, Calendar>();

/** Calendars are shared by all keys and all runs. */
function calendarOf(every: CalendarWindow['every'], timeZone: string): Calendar {
  const name = `${every} of ${timeZone}`;
  const calendar = calendars.get(name) ?? new Calendar(every, timeZone);
  calendars.set(name, calendar);
  return calendar;
}
