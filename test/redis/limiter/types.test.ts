import type { Allowed, Decision, Denied, Limiter, LimiterOptions, LimiterStats, Outlook } from 'sluice';
import type {
  RedisAllowed,
  RedisDecision,
  RedisDenied,
  RedisLimiter,
  RedisLimiterOptions,
  RedisLimiterStats,
  RedisOutlook,
} from 'sluice/redis';
import { expectTypeOf, it } from 'vitest';

type Shared = 'allow' | 'tryAcquire' | 'peek' | 'penalty' | 'reward' | 'reset' | 'block';

it('a RedisLimiter has the names and the answers of a Limiter, as promises', () => {
  // What only one of them has.
  type Others = 'acquire' | 'release' | 'configure' | 'handle' | typeof Symbol.dispose;
  expectTypeOf<Exclude<keyof Limiter, keyof RedisLimiter>>().toEqualTypeOf<Others>();
  expectTypeOf<Exclude<keyof RedisLimiter, keyof Limiter>>().toEqualTypeOf<
    'refusal' | 'tryLeased' | 'close'
  >();
  expectTypeOf<{ [Name in Shared]: Parameters<RedisLimiter[Name]> }>().toEqualTypeOf<{
    [Name in Shared]: Parameters<Limiter[Name]>;
  }>();
  expectTypeOf<ReturnType<RedisLimiter['limits']>>().toEqualTypeOf<ReturnType<Limiter['limits']>>();
  type Same = Exclude<Shared, 'tryAcquire' | 'peek'>;
  expectTypeOf<{ [Name in Same]: Awaited<ReturnType<RedisLimiter[Name]>> }>().toEqualTypeOf<{
    [Name in Same]: ReturnType<Limiter[Name]>;
  }>();
});

it('a decision has the members of a local one; only the tier may be another', () => {
  expectTypeOf<keyof RedisAllowed>().toEqualTypeOf<keyof Allowed>();
  expectTypeOf<keyof RedisDenied>().toEqualTypeOf<keyof Denied>();
  expectTypeOf<keyof RedisOutlook>().toEqualTypeOf<keyof Outlook>();
  expectTypeOf<Omit<RedisDenied, 'tier'>>().toEqualTypeOf<Omit<Denied, 'tier'>>();
  expectTypeOf<Omit<RedisAllowed, 'wouldRefuse'>>().toEqualTypeOf<Omit<Allowed, 'wouldRefuse'>>();
  expectTypeOf<Omit<RedisOutlook, 'tier' | 'tightest'>>().toEqualTypeOf<Omit<Outlook, 'tier' | 'tightest'>>();
  expectTypeOf<Exclude<RedisDenied['tier'], Denied['tier']>>().toEqualTypeOf<'unavailable'>();
  expectTypeOf<RedisDecision['allowed']>().toEqualTypeOf<Decision['allowed']>();
});

it('options and figures that both have are alike', () => {
  type Options = Extract<keyof RedisLimiterOptions, keyof LimiterOptions>;
  expectTypeOf<Options>().toEqualTypeOf<
    'tokenBucket' | 'slidingWindow' | 'keys' | 'maxWaiting' | 'enforce'
  >();
  expectTypeOf<Pick<RedisLimiterOptions, 'tokenBucket' | 'slidingWindow' | 'enforce'>>().toExtend<
    Pick<LimiterOptions, 'tokenBucket' | 'slidingWindow' | 'enforce'>
  >();
  type Figures = Extract<keyof RedisLimiterStats, keyof LimiterStats>;
  expectTypeOf<Figures>().toEqualTypeOf<
    'allowed' | 'refused' | 'dryRefusals' | 'waiting' | 'keys' | 'evicted'
  >();
});
