import fc from 'fast-check';
import { Gate, Limiter, ManualClock, Queue, record, u32 } from 'sluice';
import { fetchLimit, type RefusalInfo } from 'sluice/fetch';
import { describe, expect, it } from 'vitest';
import { items } from '../http/items.js';
import { mistyped } from '../mistyped.js';
import { seed } from '../seed.js';
import { expectError, thrown } from '../thrown.js';

const second = { limit: 3, windowMs: 1_000, exact: true };
const minute = { limit: 10, windowMs: 60_000, exact: true };
const day = { limit: 15, windowMs: 86_400_000, buckets: 24 };
const three = [second, minute, day];

describe('a limiter of several windows', () => {
  it('refuses a cost that one of them has no room for, names the window, and charges the others nothing', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ slidingWindow: three, clock });
    const refusals: unknown[] = [];
    let allowed = 0;
    for (let i = 0; i < 40; i++) {
      const decision = limiter.tryAcquire();
      if (decision.allowed) allowed++;
      else {
        expect(decision).toMatchObject({ tier: 'sliding-window', oversized: false });
        refusals.push(decision.window);
        expect(limiter.peek()).toMatchObject({ allowed: false, window: decision.window });
        clock.advance(decision.retryAfterMs);
        expect(limiter.peek().allowed).toBe(true);
      }
    }
    expect(allowed).toBe(40 - refusals.length);
    expect([...new Set(refusals)]).toEqual([0, 1, 2]);
    expect(limiter.stats().refused['sliding-window']).toBe(refusals.length);
  });

  it('decides as a list of all admissions predicts', () => {
    const windowOf = fc.record({
      limit: fc.integer({ min: 1, max: 9 }),
      windowMs: fc.integer({ min: 1, max: 5_000 }),
    });
    const step = fc.record({
      pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 })),
      cost: fc.integer({ min: 1, max: 3 }),
      refunds: fc.option(fc.nat()),
    });
    fc.assert(
      fc.property(
        fc.array(windowOf, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        fc.array(step, { maxLength: 60 }),
        (windows, keyed, steps) => {
          const clock = new ManualClock();
          const limiter = Limiter.create({
            slidingWindow: windows.map((window) => ({ ...window, exact: true })),
            ...(keyed && { keys: { max: 10 } }),
            clock,
          });
          const key = keyed ? { key: 'ann' } : {};
          let admitted: Array<{ at: number; cost: number; refund: () => void }> = [];
          for (const { pauseMs, cost, refunds } of steps) {
            const now = clock.advance(pauseMs);
            const left = windows.map(({ limit, windowMs }) => {
              const inside = admitted.filter(({ at }) => at > now - windowMs);
              return limit - inside.reduce((sum, one) => sum + one.cost, 0);
            });
            const exceeded = windows.findIndex(({ limit }) => cost > limit);
            const refusing = exceeded === -1 ? left.findIndex((one) => one < cost) : exceeded;
            expect(limiter.peek(key).remaining).toBe(Math.min(...left));
            const decision = limiter.tryAcquire({ cost, ...key });
            expect(decision.allowed).toBe(refusing === -1);
            if (!decision.allowed) expect(decision.window).toBe(refusing);
            else admitted.push({ at: now, cost, refund: () => decision.refund() });
            if (refunds === null || admitted.length === 0) continue;
            const back = admitted[refunds % admitted.length];
            back?.refund();
            admitted = admitted.filter((one) => one !== back);
          }
        },
      ),
      { seed, numRuns: 150 },
    );
  });

  it('says in a dry run which would have refused', async () => {
    const limiter = Limiter.create({
      slidingWindow: [day, second],
      enforce: false,
      clock: new ManualClock(),
    });
    expect(limiter.tryAcquire({ cost: 3 })).not.toHaveProperty('window');
    const forgiven = { allowed: true, wouldRefuse: 'sliding-window', window: 1 };
    expect(limiter.tryAcquire()).toMatchObject(forgiven);
    expect(await limiter.acquire()).toMatchObject(forgiven);
    expect(await limiter.acquire({ cost: 16 })).toMatchObject({ ...forgiven, window: 0 });
  });

  it('serves a waiter when all of them have room', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ slidingWindow: [second, { ...minute, limit: 4 }], clock });
    expect(limiter.allow(undefined, 3)).toBe(true);
    const first = limiter.acquire();
    const next = limiter.acquire();
    clock.advance(1_000);
    const served = await first;
    expect(served.allowed).toBe(true);
    expect(await limiter.acquire({ timeoutMs: 58_998 })).toMatchObject({ allowed: false });
    if (served.allowed) served.refund();
    expect((await next).allowed).toBe(true);
    expect(await limiter.acquire({ cost: 4 })).toMatchObject({ oversized: true, window: 0 });
    clock.advance(59_000);
    expect((await limiter.acquire({ cost: 3 })).allowed).toBe(true);
  });

  it('gives back in all of them what is still in force there', () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ slidingWindow: [second, minute], keys: { max: 4 }, clock });
    const decision = limiter.tryAcquire({ key: 'a', cost: 3 });
    clock.advance(2_000);
    expect(limiter.allow('a', 3)).toBe(true);
    if (decision.allowed) decision.refund();
    expect(limiter.peek({ key: 'a' }).remaining).toBe(0);
    clock.advance(1_000);
    expect(limiter.allow('a', 3)).toBe(true);
    clock.advance(1_000);
    expect(limiter.allow('a', 3)).toBe(true);
    clock.advance(1_000);
    expect(limiter.peek({ key: 'a' }).remaining).toBe(1);
  });

  it('shows and changes the limits of each', () => {
    const limiter = Limiter.create({ slidingWindow: [second, day], clock: new ManualClock() });
    limiter.configure({ slidingWindow: [{ limit: 2 }, { windowMs: 3_600_000 }] });
    expect(limiter.limits()).toEqual({
      limit: 2,
      windowMs: 1_000,
      windows: [
        { limit: 2, windowMs: 1_000 },
        { limit: 15, windowMs: 3_600_000 },
      ],
    });
    limiter.configure({ slidingWindow: [{}, { limit: 1 }] });
    expect(limiter.tryAcquire({ cost: 2 })).toMatchObject({ oversized: true, window: 1 });
    expect(Limiter.attach(limiter.handle).tryAcquire({ cost: 2 })).toMatchObject({ window: 1 });
  });

  it('checks its options, naming the window', () => {
    const create = (slidingWindow: unknown) => () => Limiter.create(mistyped({ slidingWindow }));
    const limiter = Limiter.create({ slidingWindow: three });
    const configure = (slidingWindow: unknown) => () => limiter.configure(mistyped({ slidingWindow }));
    for (const [call, kind, name] of [
      [create([]), TypeError, 'slidingWindow'],
      [create(Array(5).fill(second)), RangeError, 'slidingWindow'],
      [create([second, { limit: 1 }]), TypeError, 'slidingWindow[1]: windowMs'],
      [create([second, { ...day, limit: 0 }]), RangeError, 'slidingWindow[1]: limit'],
      [create([second, undefined]), TypeError, 'slidingWindow[1]'],
      [create([{ ...second, buckets: 2 }]), TypeError, 'slidingWindow[0]: unknown option'],
      [configure({ limit: 2 }), TypeError, 'slidingWindow'],
      [configure([{}, {}]), RangeError, 'slidingWindow'],
      [configure([{}, undefined, {}]), TypeError, 'slidingWindow[1]'],
      [configure([{}, {}, { limit: 0 }]), RangeError, 'slidingWindow[2]: limit'],
      [configure([{ limit: 4 }, {}, {}]), RangeError, 'slidingWindow[0]: limit'],
      [configure([{}, {}, { buckets: 2 }]), TypeError, 'slidingWindow[2]: unknown option'],
    ] as const) {
      const error = thrown(call);
      expectError(error, 'ERR_SLUICE_OPTION', kind);
      expect(error.message).toContain(`: ${name}`);
    }
    expect(limiter.limits().windows.map(({ limit }) => limit)).toEqual([3, 10, 15]);
    const none = Limiter.create({ queueDepth: { max: 1 } });
    for (const slidingWindow of [{ limit: 1 }, [{ limit: 1 }], []]) {
      const error = thrown(() => none.configure({ slidingWindow }));
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toContain('slidingWindow: expected undefined (the limiter was made without it)');
    }
  });

  it('is reported by a gate, and over HTTP as one item for each window', async () => {
    const clock = new ManualClock();
    const limiter = Limiter.create({ slidingWindow: [day, second], clock });
    const queue = Queue.create(record({ id: u32 }), { capacity: 8, clock });
    const gate = Gate.create({ queue, limiter });
    for (let id = 0; id < 3; id++) expect(gate.admit({ id }).outcome).toBe('admitted');
    expect(gate.admit({ id: 4 })).toMatchObject({ outcome: 'rate-limited', window: 1, retryAfterMs: 1_000 });
    const told: unknown[] = [];
    const onRefused = ({ tier, window }: RefusalInfo) => told.push([tier, window]);
    const handler = fetchLimit(() => new Response(), { limiter, problem: true, onRefused });
    const refused = await handler(new Request('http://localhost/'));
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(items(refused.headers.get('ratelimit'))).toEqual([
      ['window', { r: 12, t: 90_000 }],
      ['window-2', { r: 0, t: 1 }],
    ]);
    expect(items(refused.headers.get('ratelimit-policy'))).toEqual([
      ['window', { q: 15, w: 86_400 }],
      ['window-2', { q: 3, w: 1 }],
    ]);
    expect(await refused.json()).toMatchObject({ 'violated-policies': ['window-2'] });
    expect(told).toEqual([['sliding-window', 1]]);
  });
});
