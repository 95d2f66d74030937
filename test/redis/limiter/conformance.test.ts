import { type Allowed, Limiter, type LimiterOptions, ManualClock, type Outlook } from 'sluice';
import type { RedisAllowed, RedisDecision, RedisLimiter, RedisOutlook, RedisPort } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { replay, seed } from '../../seed.js';
import { SeededRandom } from '../../seeded-random.js';
import { connect, disconnect } from '../clients.js';
import { endServers, noRedis, Server } from '../servers.js';
import { closeLimiters, open, ServerClock } from './scene.js';

type Maybe<T> = T | Promise<T>;
type Request = { key?: string | undefined; cost?: number };

/** What a local limiter and one on Redis both have. */
interface Both {
  readonly keyed: boolean;
  allow(key?: string, cost?: number): Maybe<boolean>;
  tryAcquire(request?: Request): ReturnType<Limiter['tryAcquire']> | Promise<RedisDecision>;
  peek(request?: Request): Outlook | Promise<RedisOutlook>;
  penalty(points: number, key?: string): Maybe<void>;
  reward(points: number, key?: string): Maybe<void>;
  reset(key?: string): Maybe<void>;
  block(key: string | undefined, ms: number): Maybe<boolean>;
  limits(): ReturnType<Limiter['limits']>;
  stats(): { allowed: number; dryRefusals: number; refused: object };
}
type Options = Pick<LimiterOptions, 'tokenBucket' | 'enforce'> & {
  slidingWindow?: Window | Window[];
  keys?: { max: number };
};
type Window = { limit: number; windowMs: number; buckets?: number };

interface Face {
  readonly limiter: Both;
  advance(ms: number): void;
}

let server: Server;
let redis: RedisPort;
let clock: ServerClock | undefined;
beforeAll(async () => {
  if (noRedis) return;
  server = await Server.start();
  redis = await connect(server.port);
});
afterEach(async () => {
  await closeLimiters();
  clock?.end();
  clock = undefined;
});
afterAll(async () => {
  disconnect();
  await endServers();
});

async function local(options: Options): Promise<Face> {
  const manual = new ManualClock();
  return { limiter: Limiter.create({ ...options, clock: manual }), advance: (ms) => manual.advance(ms) };
}

async function shared(options: Options): Promise<Face & { limiter: RedisLimiter }> {
  const of = new ServerClock();
  clock = of;
  const limiter = await open(of.over(redis), options);
  return { limiter, advance: (ms) => of.advance(ms) };
}

const faces = [
  { face: 'Limiter', make: local, missing: false },
  { face: 'RedisLimiter', make: shared, missing: noRedis },
];
const bucket = { tokenBucket: { ratePerSecond: 10, burst: 5 } };
const window = { slidingWindow: { limit: 4, windowMs: 1_000, buckets: 10 } };

describe.each(faces)('$face', ({ make, missing }) => {
  const behaves = it.skipIf(missing);

  behaves('a token bucket allows its burst, then its rate', async () => {
    const { limiter, advance } = await make(bucket);
    for (let left = 4; left >= 0; left--) {
      expect(await limiter.tryAcquire()).toMatchObject({ allowed: true, remaining: left });
    }
    expect(await limiter.tryAcquire({ cost: 2 })).toEqual({
      ...{ allowed: false, tier: 'token-bucket', window: undefined, oversized: false, retryAfterMs: 200 },
    });
    advance(199);
    expect(await limiter.allow(undefined, 2)).toBe(false);
    advance(1);
    expect(await limiter.allow(undefined, 2)).toBe(true);
    advance(1_000_000);
    expect(await limiter.peek()).toMatchObject({ allowed: true, remaining: 5, tightest: 'token-bucket' });
  });

  behaves('a window counts the n buckets before the running one', async () => {
    const { limiter, advance } = await make(window);
    expect(await limiter.allow()).toBe(true);
    advance(950);
    expect(await limiter.tryAcquire({ cost: 3 })).toMatchObject({ allowed: true, remaining: 0 });
    expect(await limiter.tryAcquire()).toMatchObject({
      ...{ allowed: false, tier: 'sliding-window', window: 0, retryAfterMs: 150 },
    });
    advance(149);
    expect(await limiter.allow()).toBe(false);
    advance(1);
    expect(await limiter.allow()).toBe(true);
    expect(await limiter.tryAcquire()).toMatchObject({ allowed: false, retryAfterMs: 900 });
  });

  behaves('a refusal by one tier charges none', async () => {
    const { limiter, advance } = await make({ ...bucket, ...window });
    expect(await limiter.allow(undefined, 4)).toBe(true);
    for (let i = 0; i < 5; i++) expect(await limiter.allow()).toBe(false);
    expect(await limiter.peek()).toMatchObject({ tier: 'sliding-window', tightest: 'sliding-window' });
    advance(1_100);
    expect(await limiter.allow(undefined, 4)).toBe(true);
    expect(await limiter.tryAcquire({ cost: 2 })).toMatchObject({
      tier: 'token-bucket',
      retryAfterMs: 1_100,
    });
  });

  behaves('several windows: the first that refuses is named', async () => {
    const { limiter, advance } = await make({
      slidingWindow: [
        { limit: 2, windowMs: 100, buckets: 10 },
        { limit: 3, windowMs: 10_000, buckets: 10 },
      ],
    });
    expect(await limiter.allow(undefined, 2)).toBe(true);
    expect(await limiter.tryAcquire()).toMatchObject({ window: 0, retryAfterMs: 110 });
    advance(200);
    expect(await limiter.allow()).toBe(true);
    expect(await limiter.tryAcquire()).toMatchObject({ window: 1, retryAfterMs: 10_800 });
    expect(limiter.limits()).toMatchObject({
      windows: [
        { limit: 2, windowMs: 100 },
        { limit: 3, windowMs: 10_000 },
      ],
      ...{ limit: 2, windowMs: 100 },
    });
  });

  behaves('a cost above all that a tier allows is oversized; a cost of 0 charges nothing', async () => {
    const { limiter } = await make({ ...bucket, ...window });
    const oversized = { allowed: false, oversized: true, retryAfterMs: Infinity };
    expect(await limiter.tryAcquire({ cost: 6 })).toMatchObject({ ...oversized, tier: 'token-bucket' });
    expect(await limiter.tryAcquire({ cost: 5 })).toMatchObject({ ...oversized, tier: 'sliding-window' });
    expect(await limiter.peek({ cost: 5 })).toMatchObject({ ...oversized, remaining: 4 });
    expect(await limiter.allow(undefined, 4)).toBe(true);
    expect(await limiter.tryAcquire({ cost: 0 })).toMatchObject({ allowed: true, remaining: 0 });
  });

  behaves('keys have limits of their own: 1 and "1" are two', async () => {
    const { limiter } = await make({ ...bucket, keys: { max: 100 } });
    expect(limiter.keyed).toBe(true);
    expect(await limiter.allow('a', 5)).toBe(true);
    expect(await limiter.allow('a')).toBe(false);
    expect(await limiter.allow('b', 5)).toBe(true);
    expect(await limiter.peek({ key: '}{' })).toMatchObject({ remaining: 5 });
  });

  behaves('penalty, reward and reset', async () => {
    const { limiter, advance } = await make({ ...bucket, ...window });
    await limiter.penalty(7);
    expect(await limiter.tryAcquire()).toMatchObject({ tier: 'token-bucket', retryAfterMs: 1_100 });
    await limiter.reward(4);
    expect(await limiter.tryAcquire()).toMatchObject({ allowed: true, remaining: 0 });
    await limiter.reward(100);
    expect(await limiter.peek()).toMatchObject({ remaining: 4 });
    await limiter.penalty(2 ** 32 - 1);
    advance(1_100);
    expect(await limiter.peek()).toMatchObject({ tier: 'token-bucket', remaining: 0 });
    await limiter.reset();
    expect(await limiter.peek()).toMatchObject({ allowed: true, remaining: 4 });
  });

  behaves('a block refuses every cost until its end', async () => {
    const { limiter, advance } = await make({ ...bucket, keys: { max: 100 } });
    expect(await limiter.block('a', 50)).toBe(true);
    for (const cost of [0, 1]) {
      expect(await limiter.tryAcquire({ key: 'a', cost })).toMatchObject({
        tier: 'blocked',
        retryAfterMs: 50,
      });
    }
    expect(await limiter.allow('b')).toBe(true);
    expect(await limiter.tryAcquire({ key: 'a', cost: 6 })).toMatchObject({ oversized: true });
    advance(50);
    expect(await limiter.allow('a')).toBe(true);
    await limiter.block('a', 86_400_000);
    expect(await limiter.allow('a')).toBe(false);
    expect(await limiter.block('a', 0)).toBe(true);
    expect(await limiter.allow('a')).toBe(true);
  });

  behaves('a refund gives back what is still in force', async () => {
    const { limiter, advance } = await make({ ...bucket, ...window });
    const first = await limiter.tryAcquire({ cost: 4 });
    advance(100);
    (first as Allowed | RedisAllowed).refund();
    (first as Allowed | RedisAllowed).refund();
    expect(await limiter.allow(undefined, 4)).toBe(true); // it was in the bucket: 1 had accrued, 3 came back
    expect(await limiter.peek()).toMatchObject({ remaining: 0, tightest: 'sliding-window' });
    advance(1_100);
    const second = await limiter.tryAcquire({ cost: 4 });
    await limiter.reset();
    expect(await limiter.allow(undefined, 4)).toBe(true);
    (second as Allowed | RedisAllowed).refund(); // of a charge that the reset has forgotten
    expect(await limiter.peek()).toMatchObject({ remaining: 0 });
  });

  behaves('of tiers that owe more than they have, the first is the tightest', async () => {
    const { limiter } = await make({ ...bucket, ...window });
    await limiter.penalty(100);
    expect(await limiter.peek()).toMatchObject({ allowed: false, remaining: 0, tightest: 'token-bucket' });
  });

  behaves('a dry run decides and counts, and allows', async () => {
    const { limiter } = await make({ ...bucket, enforce: false });
    expect(await limiter.allow(undefined, 5)).toBe(true);
    expect(await limiter.tryAcquire()).toMatchObject({ allowed: true, wouldRefuse: 'token-bucket' });
    expect(await limiter.peek()).toMatchObject({ allowed: false, tier: 'token-bucket' });
    expect(limiter.stats()).toMatchObject({
      ...{ allowed: 1, dryRefusals: 1, refused: { 'token-bucket': 1, 'sliding-window': 0, blocked: 0 } },
    });
  });
});

it.skipIf(noRedis)('random requests get the same answers from both', async () => {
  const random = new SeededRandom(seed);
  for (let round = 0; round < 12; round++) {
    const options: Options = {
      ...(round % 3 !== 1 && {
        tokenBucket: { ratePerSecond: random.between(1, 2_000), burst: random.between(1, 50) },
      }),
      ...(round % 3 !== 0 && {
        slidingWindow: [
          {
            limit: random.between(1, 40),
            windowMs: 1_000,
            buckets: [1, 2, 10, 20, 50][random.below(5)] ?? 1,
          },
          ...(round % 2 ? [{ limit: random.between(20, 60), windowMs: 4_000, buckets: 8 }] : []),
        ],
      }),
    };
    const [mine, theirs] = [await local(options), await shared(options)];
    const trace: unknown[] = [options];
    for (let step = 0; step < 150; step++) {
      const ms = random.below(4) === 0 ? random.below(400) : random.below(20);
      mine.advance(ms);
      theirs.advance(ms);
      const cost = random.below(5) === 0 ? random.between(0, 20) : random.between(1, 3);
      const what = random.below(20);
      trace.push([ms, what, cost]);
      const message = `${replay}: ${JSON.stringify(trace)}`;
      if (what === 0) await Promise.all([mine, theirs].map(({ limiter }) => limiter.penalty(cost)));
      else if (what === 1) await Promise.all([mine, theirs].map(({ limiter }) => limiter.reward(cost)));
      else if (what === 2) {
        const outlook = rounded(await mine.limiter.peek({ cost }));
        expect(await theirs.limiter.peek({ cost }), message).toEqual(outlook);
      } else {
        // A refusal that is known names the tier that refused when the server was asked.
        const isKnown = theirs.limiter.refusal(undefined, cost)?.oversized === false;
        const [got, expected] = [
          plain(rounded(await theirs.limiter.tryAcquire({ cost }))),
          plain(rounded(await mine.limiter.tryAcquire({ cost }))),
        ];
        const tier = isKnown && { tier: got['tier'], window: got['window'] };
        expect(got, message).toEqual(plain({ ...expected, ...tier }));
      }
    }
    clock?.end();
  }
});

/** Without functions. */
function plain(decision: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(decision));
}

/** In whole microseconds, in which the server counts. The local limiter counts in nanoseconds. */
function rounded<T extends object>(answer: T): T {
  if (!('retryAfterMs' in answer) || typeof answer.retryAfterMs !== 'number') return answer;
  return { ...answer, retryAfterMs: Math.max(0, Math.ceil(answer.retryAfterMs * 1_000 - 1e-5)) / 1_000 };
}
