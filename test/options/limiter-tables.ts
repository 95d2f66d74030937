import { Limiter, ManualClock, Queue, record, u32 } from 'sluice';
import { mistyped } from '../mistyped.js';
import { type OptionTable, only, real, whole } from './option-table.js';

const u32Max = 2 ** 32 - 1;
const base = {
  tokenBucket: { ratePerSecond: 100, burst: 100 },
  slidingWindow: { limit: 100, windowMs: 1_000 },
  queueDepth: { max: 50 },
};

const flag = only(true, false);
const queue = Queue.create(record({ number: u32 }), { capacity: 4 });
/** The rules for a warm-up: up to a day; 0: none. */
const warmUpMs = {
  good: [0, 0.5, 86_400_000],
  wrong: ['1', null, true, 1n],
  outside: [-1, 86_400_001, Number.NaN, Infinity],
};

/** Returns the table of the changes that configure() takes for one tier. */
function changes(name: keyof typeof base, rest: Pick<OptionTable, 'options' | 'unknown'>): OptionTable {
  return {
    where: `Limiter.configure: ${name}`,
    call: (options) => Limiter.create(base).configure({ [name]: mistyped(options) }),
    base: {},
    ...rest,
  };
}

/** Returns the table of one tier's options in Limiter.create(). */
function tier(name: keyof typeof base, rest: Omit<OptionTable, 'where' | 'call' | 'base'>): OptionTable {
  return {
    where: `Limiter.create: ${name}`,
    call: (options) => Limiter.create({ ...base, [name]: mistyped(options) }),
    base: base[name],
    ...rest,
  };
}

export const limiterTables: readonly OptionTable[] = [
  {
    where: 'Limiter.create',
    call: (options) => Limiter.create(mistyped(options)),
    base,
    options: {
      clock: only(new ManualClock()),
      enforce: flag,
      commit: flag,
      maxWaiting: whole(0, 65_536, [0, 65_536]),
    },
    unknown: ['tokenbucket', 'TokenBucket', 'bucket', 'maxKeys', 'key', 'queue', 'dryRun', 'exact'],
  },
  tier('tokenBucket', {
    required: ['ratePerSecond', 'burst'],
    options: { ratePerSecond: real(1 / 31_622_400, 1e7), burst: whole(1, u32Max, [1, u32Max]), warmUpMs },
    unknown: ['rate', 'capacity', 'refillMs', 'warmupMs'],
  }),
  tier('slidingWindow', {
    required: ['limit', 'windowMs'],
    options: {
      limit: whole(1, 2 ** 30 - 1, [1, 2 ** 30 - 1]),
      windowMs: real(1, 31_622_400_000),
      buckets: whole(1, 1_000, [1, 1_000]),
      exact: flag,
    },
    unknown: ['max', 'window', 'windowSeconds'],
  }),
  tier('queueDepth', {
    required: ['max'],
    options: {
      max: whole(1, u32Max, [1, u32Max]),
      queue: only(queue),
    },
    unknown: ['limit', 'depth', 'maxWaiting'],
  }),
  {
    where: 'Limiter.tryAcquire',
    call: (options) => Limiter.create(base).tryAcquire(mistyped(options)),
    base: {},
    options: { cost: whole(0, u32Max, [0, 1, u32Max]) },
    unknown: ['costs', 'keys', 'timeoutMs', 'signal'],
  },
  {
    where: 'Limiter.acquire',
    call: (options) => Limiter.create(base).acquire(mistyped(options)),
    base: {},
    options: {
      cost: whole(0, u32Max, [0, 1, 50, u32Max]),
      timeoutMs: {
        good: [0, 0.5, 1e12],
        wrong: ['1', null, true],
        outside: [-1, 1.1e12, Number.NaN, Infinity],
      },
      signal: only(new AbortController().signal),
    },
    unknown: ['timeout', 'keys', 'priority'],
  },
  {
    where: 'Limiter.create: adaptive',
    call: (options) => Limiter.create({ ...base, adaptive: mistyped(options) })[Symbol.dispose](),
    base: { maxEventLoopDelayMs: 100 },
    options: { maxEventLoopDelayMs: real(1, 60_000), intervalMs: real(10, 60_000) },
    unknown: ['maxDelayMs', 'maxEventLoopUtilization'],
  },
  {
    where: 'Limiter.create: adaptive',
    call: (options) => Limiter.create({ ...base, adaptive: mistyped(options) })[Symbol.dispose](),
    base: { queue, maxQueueWaitMs: 5 },
    required: ['queue', 'maxQueueWaitMs'],
    options: { queue: only(queue), maxQueueWaitMs: real(0.001, 3_600_000) },
    unknown: ['maxWaitMs', 'maxDepth'],
  },
  {
    where: 'Limiter.peek',
    call: (options) => Limiter.create({ ...base, keys: { max: 10 } }).peek(mistyped(options)),
    base: { key: 'key' },
    options: { cost: whole(0, u32Max, [0, 1, u32Max]) },
    required: ['key'],
    unknown: ['costs', 'keys', 'timeoutMs', 'signal'],
  },
  {
    where: 'Limiter.create: keys',
    call: (options) => Limiter.create({ ...base, keys: mistyped(options) }),
    base: { max: 10 },
    required: ['max'],
    options: {
      max: whole(1, 10_000_000, [1, 1_000]),
      maxWaitingPerKey: whole(1, 65_536, [1, 65_536]),
    },
    unknown: ['size', 'idleMs'],
  },
  {
    where: 'Limiter.create: slidingWindow',
    call: (options) => Limiter.create({ slidingWindow: mistyped(options) }),
    base: { limit: 10, windowMs: 1_000, exact: true },
    required: ['limit', 'windowMs'],
    options: { limit: whole(1, 1_000_000, [1, 1_000_000]) },
    unknown: ['log'],
  },
  {
    where: 'Limiter.configure',
    call: (options) => Limiter.create(base).configure(mistyped(options)),
    base: {},
    options: { enforce: flag },
    unknown: ['keys', 'clock', 'warmUpMs', 'limit'],
  },
  changes('tokenBucket', {
    options: { ratePerSecond: real(1 / 31_622_400, 1e7), burst: whole(1, u32Max, [1, u32Max]), warmUpMs },
    unknown: ['rate'],
  }),
  changes('slidingWindow', {
    options: { limit: whole(1, 2 ** 30 - 1, [1, 2 ** 30 - 1]), windowMs: real(1, 31_622_400_000) },
    unknown: ['buckets', 'exact'],
  }),
  changes('queueDepth', { options: { max: whole(1, u32Max, [1, u32Max]) }, unknown: ['queue'] }),
];
