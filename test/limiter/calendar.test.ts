import fc from 'fast-check';
import { type CalendarPeriod, Limiter, ManualClock } from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { describe, expect, it, vi } from 'vitest';
import { items } from '../http/items.js';
import { mistyped } from '../mistyped.js';
import { seed } from '../seed.js';
import { expectError, thrown } from '../thrown.js';

const hour = 3_600_000;
const day = 24 * hour;
const everyPeriod: readonly CalendarPeriod[] = ['day', 'week', 'month', 'year'];
/**
 * Zones of all kinds: with and without summer time, with a change by half an hour or at midnight, and with offsets that
 * are not whole hours.
 */
const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Auckland',
  'Pacific/Kiritimati',
];

/** Returns the first day of the period that contains the moment, in the zone's calendar, by Intl alone. */
function periodOf(ms: number, every: CalendarPeriod, timeZone: string): string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
  });
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 0, day: date = 0 } = parts as Record<string, number>;
  if (every === 'year') return `${year}`;
  if (every === 'month') return `${year}-${month}`;
  const shown = new Date(Date.UTC(year, month - 1, date));
  if (every === 'week') shown.setUTCDate(shown.getUTCDate() - ((shown.getUTCDay() + 6) % 7));
  return shown.toISOString().slice(0, 10);
}

describe.each(zones)('a calendar window of %s', (timeZone) => {
  it.each(everyPeriod)('lets its limit through in each %s, as Intl shows it', (every) => {
    const step = fc.record({
      // The pause is in seconds, because a double cannot hold single nanoseconds since 1970.
      pause: fc.oneof(fc.integer({ min: 0, max: 7_200 }), fc.integer({ min: 0, max: 40 * 86_400 })),
      cost: fc.integer({ min: 1, max: 3 }),
      waits: fc.boolean(),
      refunds: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 25 * 365 * 86_400, max: 9e8 }),
        fc.boolean(),
        fc.array(step, { maxLength: 40 }),
        (start, keyed, steps) => {
          const clock = new ManualClock(start * 1_000);
          const limiter = Limiter.create({
            slidingWindow: { limit: 4, every, timeZone },
            ...(keyed && { keys: { max: 4 } }),
            clock,
          });
          const key = keyed ? { key: 'ann' } : {};
          const counts = new Map<string, number>();
          for (const { pause, cost, waits, refunds } of steps) {
            const now = clock.advance(pause * 1_000);
            const period = periodOf(now, every, timeZone);
            const used = counts.get(period) ?? 0;
            expect(limiter.peek(key).remaining).toBe(4 - used);
            const decision = limiter.tryAcquire({ cost, ...key });
            expect(decision.allowed).toBe(used + cost <= 4);
            if (decision.allowed) {
              if (refunds) decision.refund();
              else counts.set(period, used + cost);
              continue;
            }
            const { retryAfterMs } = decision;
            expect(periodOf(now + retryAfterMs - 1, every, timeZone)).toBe(period);
            expect(periodOf(now + retryAfterMs, every, timeZone)).not.toBe(period);
            if (waits) clock.advance(retryAfterMs);
          }
        },
      ),
      { seed, numRuns: 15 },
    );
  });

  it('ends when the zone’s calendar says so today', () => {
    for (const every of everyPeriod) {
      const limiter = Limiter.create({ slidingWindow: { limit: 1, every, timeZone } });
      for (;;) {
        limiter.allow();
        const before = Date.now();
        const { allowed, retryAfterMs } = limiter.peek();
        const after = Date.now() + 1;
        const period = periodOf(before, every, timeZone);
        if (allowed || periodOf(after, every, timeZone) !== period) continue; // the period has just ended
        expect(periodOf(before + retryAfterMs - 1, every, timeZone)).toBe(period);
        expect(periodOf(after + retryAfterMs, every, timeZone)).not.toBe(period);
        break;
      }
    }
  });
});

describe('a calendar window', () => {
  const noon = Date.UTC(1999, 11, 30, 12);
  const create = (slidingWindow: unknown) => () => Limiter.create(mistyped({ slidingWindow }));

  it('knows days of 23 and of 25 hours', () => {
    for (const [date, hours] of [
      ['1999-03-28', 23],
      ['1999-10-31', 25],
      ['1999-05-05', 24],
    ] as const) {
      const clock = new ManualClock(Date.parse(date) - 3 * hour);
      const slidingWindow = { limit: 1, every: 'day', timeZone: 'Europe/Berlin' } as const;
      const limiter = Limiter.create({ slidingWindow, clock });
      limiter.allow();
      clock.advance(limiter.peek().retryAfterMs);
      expect(limiter.allow()).toBe(true);
      expect(limiter.peek().retryAfterMs).toBe(hours * hour);
    }
  });

  it('knows its zone even if Date and Intl were replaced', () => {
    const fakes = [
      vi.spyOn(Date, 'now').mockReturnValue(-1e12),
      vi.spyOn(Intl, 'DateTimeFormat').mockImplementation(() => {
        throw new RangeError('a fake');
      }),
    ];
    try {
      const clock = new ManualClock(Date.UTC(1999, 2, 27, 23));
      const limiter = Limiter.create({
        slidingWindow: { limit: 1, every: 'day', timeZone: 'Europe/Vienna' },
        clock,
      });
      limiter.allow();
      expect(limiter.peek().retryAfterMs).toBe(23 * hour);
    } finally {
      for (const fake of fakes) fake.mockRestore();
    }
  });

  it('works beside other windows: attached objects show it, wait for it and change its limit', async () => {
    const clock = new ManualClock(noon);
    const limiter = Limiter.create({
      slidingWindow: [
        { limit: 2, windowMs: 1_000, exact: true },
        { limit: 3, every: 'day' },
        { limit: 9, every: 'month', timeZone: 'Asia/Tokyo' },
      ],
      clock,
    });
    expect(limiter.limits()).toEqual({
      limit: 2,
      windowMs: 1_000,
      windows: [
        { limit: 2, windowMs: 1_000 },
        { limit: 3, every: 'day', timeZone: 'UTC' },
        { limit: 9, every: 'month', timeZone: 'Asia/Tokyo' },
      ],
    });
    limiter.allow(undefined, 2);
    expect(limiter.tryAcquire()).toMatchObject({ window: 0, retryAfterMs: 1_000 });
    clock.advance(1_000);
    limiter.allow();
    expect(limiter.tryAcquire()).toMatchObject({ window: 1, retryAfterMs: 12 * hour - 1_000 });
    const attached = Limiter.attach(limiter.handle);
    expect(attached.limits()).toEqual(limiter.limits());
    const late = await attached.acquire({ timeoutMs: 12 * hour - 1_001 });
    expect(late).toMatchObject({ allowed: false, window: 1 });
    const waits = attached.acquire({ timeoutMs: 12 * hour - 1_000 });
    clock.advance(12 * hour - 1_000);
    expect((await waits).allowed).toBe(true);
    limiter.configure({ slidingWindow: [{}, { limit: 1 }, {}] });
    expect(limiter.tryAcquire()).toMatchObject({ window: 1, retryAfterMs: day });
    expect(limiter.tryAcquire({ cost: 2 })).toMatchObject({ window: 1, oversized: true });
    for (const change of [{ windowMs: 5 }, { every: 'day' }, { timeZone: 'UTC' }]) {
      const call = () => limiter.configure(mistyped({ slidingWindow: [{}, change, {}] }));
      expectError(thrown(call), 'ERR_SLUICE_OPTION', TypeError);
    }
  });

  it('lets every call wait that fits the next period, however far beyond the limit the present one is', async () => {
    const clock = new ManualClock(noon);
    const limiter = Limiter.create({ slidingWindow: { limit: 10, every: 'day' }, clock });
    limiter.penalty(95);
    const timeoutMs = 12 * hour;
    const waits = [limiter.acquire({ cost: 9, timeoutMs }), limiter.acquire({ timeoutMs })];
    const tooMany = await limiter.acquire({ timeoutMs });
    expect(tooMany).toMatchObject({ allowed: false, retryAfterMs: 36 * hour });
    limiter.configure({ slidingWindow: { limit: 11 } });
    clock.advance(timeoutMs);
    expect(await Promise.all(waits)).toMatchObject([{ allowed: true }, { allowed: true }]);
  });

  it('is shown over HTTP with the time until its period ends', async () => {
    const clock = new ManualClock(noon);
    const limiter = Limiter.create({ slidingWindow: { limit: 2, every: 'year' }, clock });
    const handler = fetchLimit(() => new Response(), { limiter });
    const told: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const { status, headers } = await handler(new Request('http://localhost/'));
      told.push([status, headers.get('retry-after'), ...items(headers.get('ratelimit'))]);
      expect(items(headers.get('ratelimit-policy'))).toEqual([['window', { q: 2, w: (366 * day) / 1_000 }]]);
    }
    const t = (36 * hour) / 1_000;
    expect(told).toEqual([
      [200, null, ['window', { r: 1, t }]],
      [200, null, ['window', { r: 0, t }]],
      [429, String(t), ['window', { r: 0, t }]],
    ]);
  });

  it('checks its options, by name', () => {
    for (const [options, kind, name] of [
      [{ limit: 1, every: 'hour' }, RangeError, 'every'],
      [{ limit: 1, every: 1 }, TypeError, 'every'],
      [{ limit: 1, every: 'toString' }, RangeError, 'every'],
      [{ limit: 1, timeZone: 'UTC' }, TypeError, 'every'],
      [{ limit: 1, every: 'day', timeZone: 'Europe/Nowhere' }, RangeError, 'timeZone'],
      [{ limit: 1, every: 'day', timeZone: 1 }, TypeError, 'timeZone'],
      [{ limit: 0, every: 'day' }, RangeError, 'limit'],
      [{ limit: 2 ** 30, every: 'day' }, RangeError, 'limit'],
      [{ limit: 1, every: 'day', windowMs: 1_000 }, TypeError, 'unknown option'],
      [{ limit: 1, every: 'day', exact: true }, TypeError, 'unknown option'],
    ] as const) {
      const error = thrown(create(options));
      expectError(error, 'ERR_SLUICE_OPTION', kind);
      expect(error.message).toContain(`slidingWindow: ${name}`);
    }
  });
});
