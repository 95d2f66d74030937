import { bare } from '../input/index.js';

/** `Date` and `Intl` as they were when sluice was loaded: a program's tests may replace them. */
const { DateTimeFormat } = Intl;
const { now } = Date;
const dayMs = 86_400_000;
/**
 * zoneChanges() compares a zone's offsets at times that are this far apart, so it misses a change that is undone before
 * the next of these times. A few zones undo a change after one or two weeks. With the time zone data of 2025, the list
 * misses only one of these changes: a week of October 2040 in Gaza and Hebron.
 */
const stepMs = 14 * dayMs;
const yearsAhead = 30;

/**
 * The offsets of each zone, by the name that Intl gives it. Intl has some hundreds of names, and some thousands for
 * zones that are only an offset, such as '+05:30', so the map stays small.
 */
const known = new Map<string, readonly number[]>();

/**
 * Returns the offsets of a time zone from 1970 to 30 years from now, as Intl knows them. The list has two numbers for
 * each offset: the time from which it applies, and how far it is ahead of UTC, both in milliseconds. The first offset
 * applies to all earlier times, too, and the last one to all later times.
 * @throws RangeError if there is no such zone.
 */
export function zoneChanges(timeZone: string): readonly number[] {
  const format = new DateTimeFormat('en-US', bare({ timeZone, timeZoneName: 'longOffset' } as const));
  const name = format.resolvedOptions().timeZone; // the same name for 'europe/berlin' as for 'Europe/Berlin'
  const found = known.get(name);
  if (found !== undefined) return found;
  const offsetAt = (ms: number): number => offsetOf(format.format(ms));
  let offset = offsetAt(0);
  const changes = [-9e12, offset];
  const end = now() + yearsAhead * 366 * dayMs;
  for (let from = 0; from < end; from += stepMs) {
    if (offsetAt(from + stepMs) === offset) continue;
    let low = from;
    let high = from + stepMs;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offsetAt(middle) === offset) low = middle;
      else high = middle;
    }
    offset = offsetAt(high);
    changes.push(high, offset);
  }
  known.set(name, changes);
  return changes;
}

/** Returns the offset in a date such as '1/1/1970, GMT-05:00', in milliseconds. */
function offsetOf(text: string): number {
  const parts = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
  if (parts === null) throw new RangeError(`no offset in ${text}`);
  const [, sign, hours = 0, minutes = 0, seconds = 0] = parts;
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  return sign === '-' ? -ms : ms;
}
