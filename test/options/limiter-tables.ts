import { Limiter, ManualClock, Queue, record, u32 } from 'sluice';
import { type OptionTable, only, real, whole } from './option-table.js';

const u32Max = 2 ** 32 - 1;
const base = {
  tokenBucket: { ratePerSecond: 100, burst: 100 },
  slidingWindow: { limit: 100, windowMs: 1_000 },
  queueDepth: { max: 50 },
};

/** The table of one tier's own options. */
function tier(name: keyof typeof base, rest: Omit<OptionTable, 'where' | 'call' | 'base'>): OptionTable {
  return {
    where: `Limiter.create: ${name}`,
    call: (options) => Limiter.create({ ...base, [name]: options as never }),
    base: base[name],
    ...rest,
  };
}

export const limiterTables: readonly OptionTable[] = [
  {
    where: 'Limiter.create',
    call: (options) => Limiter.create(options as never),
    base,
    options: { clock: only(new ManualClock()) },
    unknown: ['tokenbucket', 'TokenBucket', 'bucket', 'keys', 'maxKeys', 'key', 'queue'],
  },
  tier('tokenBucket', {
    required: ['ratePerSecond', 'burst'],
    options: { ratePerSecond: real(1e-6, 1e7), burst: whole(1, u32Max, [1, u32Max]) },
    unknown: ['rate', 'capacity', 'refillMs'],
  }),
  tier('slidingWindow', {
    required: ['limit', 'windowMs'],
    options: {
      limit: whole(1, 2 ** 30 - 1, [1, 2 ** 30 - 1]),
      windowMs: real(1, 86_400_000),
      buckets: whole(1, 1_000, [1, 1_000]),
    },
    unknown: ['max', 'window', 'windowSeconds'],
  }),
  tier('queueDepth', {
    required: ['max'],
    options: {
      max: whole(1, u32Max, [1, u32Max]),
      queue: only(Queue.create(record({ number: u32 }), { capacity: 4 })),
    },
    unknown: ['limit', 'depth', 'maxWaiting'],
  }),
  {
    where: 'Limiter.tryAcquire',
    call: (options) => Limiter.create(base).tryAcquire(options as never),
    base: {},
    options: { cost: whole(1, u32Max, [1, u32Max]) },
    unknown: ['costs', 'key', 'timeoutMs', 'signal'],
  },
];
