import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster, createSentinel } from 'redis';
import { bytes, f64, record, u32, u53, utf8 } from 'sluice';
import {
  type IoRedisClient,
  ioRedis,
  type NodeRedisClient,
  nodeRedis,
  RedisLimiter,
  type RedisPort,
  RedisQueue,
  RedisWorkers,
} from 'sluice/redis';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { type OptionRules, type OptionTable, real, whole } from '../options/option-table.js';

const redis: RedisPort = { send: async () => null, duplicate: async () => redis, close: () => {} };
const Order = record({ orderId: u53, name: utf8(8), weight: f64, digest: bytes(8), sku: u32 });
const notTexts = [1, null, true, [], {}, Symbol('a')];
const stream = {
  good: ['orders', 'shop:{x1}:orders', '{a', 'x{a{b}', 'ü'],
  wrong: notTexts,
  outside: ['', 'x'.repeat(513), 'a}b', '{}', '{}x', '{orders}', '{a{b}', '\ud800'],
};
const name = { good: ['a', 'ü'], wrong: notTexts, outside: ['', ' ', 'a b', 'a\n', 'x'.repeat(129)] };
const port = {
  good: [redis],
  wrong: [null, 1, 'redis', {}, { send() {} }, { send() {}, duplicate() {}, close: 1 }],
  outside: [],
};
const type = { good: [Order], wrong: [null, {}, 'Order', { bytes: 8 }], outside: [] };

const tables: readonly OptionTable[] = [
  {
    where: 'RedisQueue',
    call: (options) => new RedisQueue(mistyped(options)),
    base: { redis, stream: 'orders', record: Order, id: 'orderId' },
    required: ['redis', 'stream', 'record', 'id'],
    unknown: ['maxlength', 'MAXLEN', 'group'],
    options: {
      ...{ redis: port, stream, record: type },
      id: {
        good: ['orderId', 'name', 'sku'],
        wrong: notTexts,
        outside: ['weight', 'digest', 'none', 'toString'],
      },
      maxLength: whole(1, 1_000_000_000),
      rememberMs: whole(1_000, 2_592_000_000),
      maxInFlight: whole(1, 1_000_000),
    },
  },
  {
    where: 'RedisWorkers',
    call: (options) => new RedisWorkers(mistyped(options)),
    base: { redis, stream: 'shop:{orders}', record: Order, group: 'cashiers' },
    required: ['redis', 'stream', 'record', 'group'],
    unknown: ['groups', 'noAck', 'concurrency'],
    options: {
      redis: port,
      stream: { ...stream, good: ['shop:{orders}', 'orders'] },
      record: type,
      group: name,
      consumer: name,
      pool: {
        good: [1, 64, { min: 1, max: 64 }, { min: 3, max: 3 }],
        wrong: ['1', true, null, [], [1]],
        outside: [0, 65, 1.5, Number.NaN],
      },
      count: whole(5, 20),
      blockMs: whole(10, 15_000),
      claimIdleMs: whole(100, 3_600_000, [100, 3_600_000]),
      patrolMs: whole(10, 60_000),
      maxDeliveries: whole(1, 1_000),
      backoff: {
        good: [{}, { baseMs: 0, factor: 1, maxMs: 0, jitter: 0 }],
        wrong: [1, 'a', []],
        outside: [],
      },
      deadLetters: {
        good: ['{orders}:buried', 'a{orders}'],
        wrong: notTexts,
        outside: ['', 'dead', '{other}:dead', 'shop:{orders}'],
      },
      maxDeadLetters: whole(1, 1_000_000_000),
    },
  },
];

describe.each(tables)('$where', ({ where, call, base, options, required = [], unknown }) => {
  it('takes what is good', () => {
    for (const [option, { good }] of Object.entries(options)) {
      for (const value of good) expect(() => call({ ...base, [option]: value }), option).not.toThrow();
    }
  });

  it('refuses what is not, with an error that names the option', () => {
    for (const [option, { wrong, outside }] of Object.entries(options)) {
      for (const value of wrong)
        expect(caught(() => call({ ...base, [option]: value }))).toBe(`TypeError ${where}: ${option}`);
      for (const value of outside)
        expect(
          caught(() => call({ ...base, [option]: value })),
          String(value),
        ).toBe(`RangeError ${where}: ${option}`);
    }
    for (const option of required)
      expect(caught(() => call({ ...base, [option]: undefined }))).toContain(option);
    for (const option of unknown) {
      expect(caught(() => call({ ...base, [option]: 1 }))).toBe(
        `TypeError ${where}: unknown option "${option}"`,
      );
    }
  });
});

it('RedisWorkers refuses parts of options', () => {
  const make = (options: object) => () =>
    new RedisWorkers(mistyped({ redis, stream: 'o', record: Order, group: 'g', ...options }));
  expect(caught(make({ pool: { min: 2, max: 1 } }))).toBe('RangeError RedisWorkers: pool: max');
  expect(caught(make({ pool: { max: 1 } }))).toBe('TypeError RedisWorkers: pool: min');
  expect(caught(make({ pool: { min: 1, max: 65 } }))).toBe('RangeError RedisWorkers: pool: max');
  expect(caught(make({ backoff: { baseMs: -1 } }))).toBe('RangeError RedisWorkers: backoff: baseMs');
  expect(caught(make({ backoff: { jitter: 1.1 } }))).toBe('RangeError RedisWorkers: backoff: jitter');
  // An order that is read at the end of a wait must be renewed in time.
  expect(caught(make({ claimIdleMs: 1_000, blockMs: 501 }))).toBe('RangeError RedisWorkers: blockMs');
  expect(make({ claimIdleMs: 1_000, blockMs: 500 })).not.toThrow();
});

describe('RedisLimiter.open', () => {
  const where = 'RedisLimiter.open';
  const base = {
    redis,
    prefix: 'shop',
    name: 'checkout',
    tokenBucket: { ratePerSecond: 1, burst: 1 },
    timeoutMs: 1,
  };
  const open = async (options: object): Promise<string> => {
    try {
      await (await RedisLimiter.open(mistyped({ ...base, ...options }))).close();
      return 'nothing';
    } catch (error) {
      return caught(() => {
        throw error;
      });
    }
  };
  const nested = (outer: string, inner: object, rules: Readonly<Record<string, OptionRules>>) =>
    Object.entries(rules).map(([name, { good, wrong, outside }]) => {
      const of = (values: readonly unknown[]) =>
        values.map((value) => ({ [outer]: { ...inner, [name]: value } }));
      return { option: `${outer}: ${name}`, good: of(good), wrong: of(wrong), outside: of(outside) };
    });
  const plain = (option: string, { good, wrong, outside }: OptionRules) => {
    const of = (values: readonly unknown[]) => values.map((value) => ({ [option]: value }));
    return { option, good: of(good), wrong: of(wrong), outside: of(outside) };
  };
  const window = { limit: 1, windowMs: 1 };
  const tables = [
    plain('redis', port),
    plain('prefix', {
      good: ['a', 'a:b', 'ü'],
      wrong: notTexts,
      outside: ['', ' ', 'a b', 'a{', '}', 'x'.repeat(129), '\ud800'],
    }),
    plain('name', {
      good: ['a', 'A-1_b.c'],
      wrong: notTexts,
      outside: ['', 'a:b', 'a b', 'a}', 'ü', 'x'.repeat(65)],
    }),
    plain('tokenBucket', { good: [], wrong: [1, 'a', []], outside: [] }),
    plain('slidingWindow', {
      good: [window, [window, window, window, window]],
      wrong: [1, 'a', []],
      outside: [[window, window, window, window, window]],
    }),
    plain('keys', { good: [{}], wrong: [1, 'a', []], outside: [] }),
    plain('lease', { good: [{}, false], wrong: [true, 1, 'a', []], outside: [] }),
    plain('enforce', { good: [false], wrong: [1, 'a', null], outside: [] }),
    plain('timeoutMs', real(1, 60_000, [1])),
    plain('maxWaiting', whole(1, 1_000_000)),
    ...nested('tokenBucket', base.tokenBucket, {
      ratePerSecond: { ...real(1 / 31_622_400, 10_000_000), good: [0.5, 10_000_000] },
      burst: whole(1, 2 ** 32 - 1),
    }),
    ...nested('slidingWindow', window, {
      limit: whole(1, 2 ** 30 - 1),
      windowMs: real(1, 31_622_400_000),
      buckets: whole(1, 100),
    }),
    ...nested('keys', {}, { max: whole(1, 10_000_000) }),
    ...nested('lease', {}, { maxTokens: whole(1, 1_000_000), ttlMs: real(2, 10_000) }),
  ];

  it.each(tables)('checks $option', async ({ option, good, wrong, outside }) => {
    for (const options of good) expect(await open(options)).toBe('nothing');
    for (const options of wrong) expect(await open(options)).toBe(`TypeError ${where}: ${option}`);
    for (const options of outside) expect(await open(options)).toBe(`RangeError ${where}: ${option}`);
  });

  it('names what is missing or unknown', async () => {
    for (const option of ['redis', 'prefix', 'name'])
      expect(await open({ [option]: undefined })).toContain(option);
    expect(await open({ tokenBucket: undefined })).toBe(`TypeError ${where}`);
    for (const [options, path, option] of [
      [{ queueDepth: { max: 1 } }, '', 'queueDepth'],
      [{ clock: 1 }, '', 'clock'],
      [{ tokenBucket: { ...base.tokenBucket, warmUpMs: 1 } }, ': tokenBucket', 'warmUpMs'],
      [{ slidingWindow: { ...window, exact: true } }, ': slidingWindow', 'exact'],
      [{ slidingWindow: [window, { limit: 1, every: 'day' }] }, ': slidingWindow[1]', 'every'],
      [{ keys: { maxWaitingPerKey: 1 } }, ': keys', 'maxWaitingPerKey'],
      [{ lease: { ttl: 1 } }, ': lease', 'ttl'],
    ] as const) {
      expect(await open(options)).toBe(`TypeError ${where}${path}: unknown option "${option}"`);
    }
  });

  it('and its methods refuse bad arguments', async () => {
    const limiter = await RedisLimiter.open(base);
    const keyed = await RedisLimiter.open({ ...base, keys: {} });
    for (const [call, name] of [
      [() => limiter.tryAcquire(mistyped({ key: 'a' })), 'tryAcquire: key'],
      [() => keyed.tryAcquire(), 'tryAcquire: key'],
      [() => keyed.tryAcquire({ key: 'x'.repeat(1_025) }), 'tryAcquire: key: its length'],
      [() => limiter.tryAcquire({ cost: -1 }), 'tryAcquire: cost'],
      [() => limiter.tryAcquire(mistyped({ wait: 1 })), 'tryAcquire: unknown option "wait"'],
      [() => limiter.peek({ cost: 2 ** 32 }), 'peek: cost'],
      [() => limiter.allow(undefined, 0.5), 'allow: cost'],
      [() => keyed.allow(mistyped({})), 'allow: key'],
      [() => limiter.penalty(-1), 'penalty: points'],
      [() => limiter.reward(mistyped('1')), 'reward: points'],
      [() => keyed.reset(), 'reset: key'],
      [() => limiter.block('a', 1), 'block: key'],
      [() => limiter.block(undefined, 31 * 86_400_000 + 1), 'block: ms'],
      [async () => limiter.refusal(undefined, -1), 'refusal: cost'],
      [async () => keyed.refusal(), 'refusal: key'],
      [async () => limiter.tryLeased('a'), 'tryLeased: key'],
    ] as const) {
      const error: unknown = await call().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      const thrown = caught(() => {
        throw error;
      });
      expect(thrown).toContain(`RedisLimiter.${name}`);
    }
    await limiter.close();
    await keyed.close();
  });
});

it('push and run refuse bad arguments', async () => {
  const orders = new RedisQueue({ redis, stream: 'o', record: Order, id: 'orderId' });
  const order = { orderId: 1, name: '', weight: 0, digest: new Uint8Array(), sku: 1 };
  await expect(orders.push(order, mistyped({ timeoutMs: 0 }))).rejects.toThrow('RedisQueue.push: timeoutMs');
  await expect(orders.push(order, mistyped({ ttl: 1 }))).rejects.toThrow('unknown option "ttl"');
  await expect(orders.pushMany(mistyped('list'))).rejects.toThrow('RedisQueue.pushMany: orders');
  await expect(orders.audit(mistyped({ maxEntries: 0 }))).rejects.toThrow('RedisQueue.audit: maxEntries');
  const workers = new RedisWorkers({ redis, stream: 'o', record: Order, group: 'g' });
  await expect(workers.run(mistyped(1))).rejects.toThrow('RedisWorkers.run: handler');
  await expect(workers.run(() => {}, mistyped({ concurrency: 0 }))).rejects.toThrow(
    'RedisWorkers.run: concurrency',
  );
  await expect(workers.run(() => {}, mistyped({ graceMs: -1 }))).rejects.toThrow('RedisWorkers.run: graceMs');
  expect(workers.stats().isRunning).toBe(false);
});

describe('nodeRedis', () => {
  const of = (client: NodeRedisClient) => caught(() => nodeRedis(client));

  it('takes a client and a cluster that do not queue while offline', () => {
    expect(nodeRedis(createClient({ disableOfflineQueue: true }))).toBeDefined();
    const rootNodes = [{ url: 'redis://127.0.0.1:1' }];
    expect(nodeRedis(createCluster({ rootNodes, defaults: { disableOfflineQueue: true } }))).toBeDefined();
  });

  it('names the option of the client that is not safe', () => {
    expect(of(createClient())).toBe('TypeError nodeRedis: option disableOfflineQueue of the client');
    expect(of(createClient({ disableOfflineQueue: true, keyPrefix: 'a:' }))).toBe(
      'TypeError nodeRedis: option keyPrefix of the client',
    );
    const rootNodes = [{ url: 'redis://127.0.0.1:1' }];
    expect(of(createCluster({ rootNodes }))).toBe(
      'TypeError nodeRedis: option defaults: disableOfflineQueue of the client',
    );
    const root = { name: 'sale', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] };
    const message = /^nodeRedis: client: expected no client of createSentinel\(\): use ioRedis/;
    expect(() => nodeRedis(createSentinel(root))).toThrow(message);
    expect(of(mistyped({}))).toBe('TypeError nodeRedis: client');
    expect(of(mistyped(undefined))).toBe('TypeError nodeRedis: client');
    expect(of(mistyped(new Redis({ lazyConnect: true })))).toBe('TypeError nodeRedis: client');
  });
});

describe('ioRedis', () => {
  const safe = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 };
  const of = (client: IoRedisClient) => caught(() => ioRedis(client));
  const redisOf = (options: object) => of(new Redis({ lazyConnect: true, ...safe, ...options }));
  const clusterOf = (options: object) => {
    const { enableOfflineQueue, ...redisOptions } = safe;
    return of(new Cluster([], { lazyConnect: true, enableOfflineQueue, redisOptions, ...options }));
  };

  it('takes a client and a cluster with safe options', () => {
    expect(redisOf({})).toBe('nothing');
    expect(clusterOf({})).toBe('nothing');
  });

  it.each([
    ['enableOfflineQueue', { enableOfflineQueue: true }],
    ['autoResendUnfulfilledCommands', { autoResendUnfulfilledCommands: true }],
    ['maxRetriesPerRequest', { maxRetriesPerRequest: null }],
    ['maxRetriesPerRequest', { maxRetriesPerRequest: 20 }],
    ['enableAutoPipelining', { enableAutoPipelining: true }],
    ['keyPrefix', { keyPrefix: 'a:' }],
  ])('names the option of the client that is not safe: %s', (name, options) => {
    expect(redisOf(options)).toBe(`TypeError ioRedis: option ${name} of the client`);
  });

  it('names the option of a cluster that is not safe', () => {
    expect(clusterOf({ enableOfflineQueue: true })).toBe(
      'TypeError ioRedis: option enableOfflineQueue of the client',
    );
    const redisOptions = { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 1 };
    expect(clusterOf({ redisOptions })).toBe(
      'TypeError ioRedis: option redisOptions: maxRetriesPerRequest of the client',
    );
    expect(clusterOf({ redisOptions: {} })).toBe(
      'TypeError ioRedis: option redisOptions: autoResendUnfulfilledCommands of the client',
    );
    expect(clusterOf({ enableAutoPipelining: true })).toBe(
      'TypeError ioRedis: option enableAutoPipelining of the client',
    );
    expect(of(mistyped({}))).toBe('TypeError ioRedis: client');
    expect(of(mistyped(null))).toBe('TypeError ioRedis: client');
  });
});

/** Returns the type of the error that `call` throws, and its message up to what was expected. */
function caught(call: () => unknown): string {
  try {
    call();
    return 'nothing';
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    expect(error).toMatchObject({ code: 'ERR_SLUICE_OPTION' });
    const type =
      error instanceof RangeError ? 'RangeError' : error instanceof TypeError ? 'TypeError' : error.name;
    return `${type} ${error.message.replace(/(?:: expected|: did you mean| \(options:).*/s, '')}`;
  }
}
