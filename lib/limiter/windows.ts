import { byNumber, limiterLimits, type NativeLimiter, type NativeWindow, periods } from '../binding/index.js';
import { bare, copiedList, Options, optionError } from '../input/index.js';
import { zoneChanges } from './zone.js';

/** A limit on the requests in any window of a given length: see `LimiterOptions.slidingWindow`. */
export interface SlidingWindow {
  /** The most requests in any window: 1 to 1,073,741,823; with `exact` 1 to 1,000,000. */
  readonly limit: number;
  /** The length in milliseconds: 1 to 31,622,400,000. */
  readonly windowMs: number;
  /** How many buckets count the requests: 1 to 1,000. Default: 20. */
  readonly buckets?: number | undefined;
  /** Whether each request counts for exactly the length of the window. Default: false. */
  readonly exact?: boolean | undefined;
}
/** A limit on the requests in each period of a calendar: see `LimiterOptions.slidingWindow`. */
export interface CalendarWindow {
  /** The most requests in each period: 1 to 1,073,741,823. */
  readonly limit: number;
  /** The period. */
  readonly every: CalendarPeriod;
  /** The time zone of the calendar, by its name in the IANA database. Default: 'UTC'. */
  readonly timeZone?: string | undefined;
}
/** The periods of a calendar window. A week begins on Monday. */
export type CalendarPeriod = 'day' | 'week' | 'month' | 'year';
/** One window of the option `slidingWindow`. */
export type WindowOption = SlidingWindow | CalendarWindow;
/** The changes of a window for `Limiter.configure`. A calendar window takes a new `limit` only. */
export interface WindowChanges {
  /** A new limit: for an exact window, at most the limit that it was made with. */
  readonly limit?: number | undefined;
  /** A new length in milliseconds. A calendar window has none. */
  readonly windowMs?: number | undefined;
}
/** A window as `limits()` returns it. */
export type WindowLimits =
  | {
      /** The most requests in the window. */
      readonly limit: number;
      /** The length of the window, in milliseconds. */
      readonly windowMs: number;
    }
  | {
      /** The most requests in the period. */
      readonly limit: number;
      /** The period. */
      readonly every: CalendarPeriod;
      /** The time zone, of the IANA database. */
      readonly timeZone: string;
    };

const periodNames: readonly (CalendarPeriod | undefined)[] = byNumber(
  periods satisfies Record<CalendarPeriod, number>,
);

/** Returns the name of a calendar window's period; undefined for another window. */
export function periodOf(window: NativeWindow | undefined): CalendarPeriod | undefined {
  return window === undefined ? undefined : periodNames[window.every];
}

const dayMs = 86_400_000;
const longestMs = { day: dayMs, week: 7 * dayMs, month: 31 * dayMs, year: 366 * dayMs } as const;

/**
 * Returns the length of a window in milliseconds. For a calendar window it is that of its longest period, if each day
 * has 24 hours.
 */
export function windowLengthMs(window: WindowLimits): number {
  const { every, windowMs } = bare<{ every?: CalendarPeriod; windowMs?: number }>(window);
  return every === undefined ? (windowMs ?? Infinity) : longestMs[every];
}

const {
  windowLimit: limitMax,
  logLimit: logLimitMax,
  windowMs: lengthMsMax,
  windows: windowsMax,
} = limiterLimits;
const unchanged = Number.NaN;

/** Checks the option `slidingWindow` of `Limiter.create`: one window, or a list of them. */
export function windowOptions(where: string, given: Options): object[] {
  return listed(where, given.get('slidingWindow')).map(([name, window]) => windowOption(name, window));
}

function windowOption(where: string, given: unknown): object {
  const window = new Options(where, given, ['limit', 'windowMs', 'exact', 'buckets', 'every', 'timeZone']);
  if (window.has('every') || window.has('timeZone')) return calendarOption(where, window);
  const exact = window.boolean('exact', false);
  if (exact) window.restrict(['limit', 'windowMs', 'exact']);
  return {
    limit: window.integer('limit', 1, exact ? logLimitMax : limitMax),
    windowMs: window.number('windowMs', 1, lengthMsMax),
    buckets: exact ? 1 : window.integer('buckets', 1, limiterLimits.buckets, 20),
    exact: exact ? 1 : 0,
  };
}

function calendarOption(where: string, window: Options): object {
  window.restrict(['limit', 'every', 'timeZone']);
  const every = window.get('every');
  if (typeof every !== 'string' || !Object.hasOwn(periods, every)) {
    const expected = Object.keys(periods).join(', ');
    throw optionError(`${where}: every`, expected, every, typeof every !== 'string');
  }
  const number = periods[every as CalendarPeriod];
  const timeZone = window.has('timeZone') ? window.get('timeZone') : 'UTC';
  const expected = "a time zone of the IANA database, such as 'Europe/Berlin'";
  if (typeof timeZone !== 'string') throw optionError(`${where}: timeZone`, expected, timeZone, true);
  const limit = window.integer('limit', 1, limitMax);
  try {
    return { limit, every: number, timeZone, zone: zoneChanges(timeZone) };
  } catch {
    throw optionError(`${where}: timeZone`, expected, timeZone, false);
  }
}

/** Checks the option `slidingWindow` of `Limiter.configure`: as many windows as the limiter has. */
export function windowChanges(where: string, given: Options, { windows }: NativeLimiter): object[] {
  const value = given.get('slidingWindow');
  const name = `${where}: slidingWindow`;
  if (value !== undefined && windows.length === 0) {
    throw optionError(name, 'undefined (the limiter was made without it)', value, true);
  }
  const changes = listed(where, value);
  if (changes.length !== 0 && changes.length !== windows.length) {
    const expected = `a list of ${windows.length} (the limiter has so many windows)`;
    throw optionError(name, expected, value, !Array.isArray(value));
  }
  return changes.map(([one, change], i) => {
    const window = new Options(one, change, ['limit', 'windowMs']);
    if (periodOf(windows[i]) !== undefined) window.restrict(['limit']);
    const most = windows[i]?.logCapacity || limitMax;
    return {
      limit: window.has('limit') ? window.integer('limit', 1, most) : unchanged,
      windowMs: window.has('windowMs') ? window.number('windowMs', 1, lengthMsMax) : unchanged,
    };
  });
}

/** Returns each of the given windows, with its name for errors. */
function listed(where: string, given: unknown): Array<[string, unknown]> {
  const name = `${where}: slidingWindow`;
  if (given === undefined) return [];
  if (!Array.isArray(given)) return [[name, given]];
  const list = copiedList(given, 1, windowsMax);
  if (list === undefined) {
    throw optionError(name, `a window, or a list of 1 to ${windowsMax}`, given, given.length === 0);
  }
  return list.map((one, i) => {
    if (one === undefined) throw optionError(`${name}[${i}]`, 'an object of options', one, true);
    return [`${name}[${i}]`, one];
  });
}
