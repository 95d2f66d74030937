/** Measures sales and limits that several processes share. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { ioRedis, RedisLimiter } from 'sluice/redis';
import { startRedis } from '../../../rivals/gates/redis-server.js';
import { clientOptions, STOCK } from './seller.js';

const seller = new URL('./seller.js', import.meta.url);
const limiterInFlight = 256;
/** New processes take long until their code is compiled and their demand is known. */
const least = { warmUpMs: 1_500, measuredMs: 1_500 };

/** @param {{ quick: boolean, warmUpMs: number, measuredMs: number }} scale */
function longer({ quick, warmUpMs, measuredMs }) {
  if (quick) return { warmUpMs, measuredMs };
  return {
    warmUpMs: Math.max(warmUpMs, least.warmUpMs),
    measuredMs: Math.max(measuredMs, least.measuredMs),
  };
}

/**
 * @param {{ sells: import('./seller.js').Sells, inFlight: number, stock: number, processes: number, quick: boolean,
 *   warmUpMs: number, measuredMs: number }} run
 * @returns {Promise<{ answered: number, calls: number }>} a second, of all processes
 */
export async function measureSale({ sells, inFlight, stock, processes, ...scale }) {
  const { warmUpMs, measuredMs } = longer(scale);
  const { port, stop } = await startRedis();
  const redis = new Redis(port, '127.0.0.1', clientOptions);
  await once(redis, 'ready');
  const children = Array.from({ length: processes }, () => {
    return fork(seller, [JSON.stringify({ port, sells, inFlight, stock, warmUpMs, measuredMs })]);
  });
  try {
    await redis.set(STOCK, stock);
    await Promise.all(children.map((child) => once(child, 'message'))); // each is ready
    for (const child of children) child.send('sell');
    const results = await Promise.all(children.map((child) => once(child, 'message')));
    const sum = (/** @type {'answered' | 'calls' | 'won'} */ name) =>
      results.reduce((total, [one]) => total + one[name], 0);
    if (sum('won') > stock) throw new Error(`${sum('won')} units sold of ${stock}`);
    const seconds = measuredMs / 1_000;
    return { answered: sum('answered') / seconds, calls: sum('calls') / seconds };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    redis.disconnect();
    await stop();
  }
}

/** A token bucket (GCRA) by the clock of the server, in as few commands as it takes. */
const takeToken = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local tat = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0')) + 1000000 / ARGV[1]
if tat - now > ARGV[2] * 1000000 / ARGV[1] then return 0 end
redis.call('SET', KEYS[1], string.format('%.3f', tat), 'PX', math.ceil((tat - now) / 1000) + 1000)
return 1`;
const rate = { ratePerSecond: 10_000_000, burst: 4_000_000_000 };

/**
 * @param {boolean} leases
 * @param {{ quick: boolean, warmUpMs: number, measuredMs: number }} scale
 * @returns {Promise<number>} requests a second
 */
export async function measureLimiter(leases, scale) {
  const { warmUpMs, measuredMs } = longer(scale);
  const { port, stop } = await startRedis();
  const redis = /** @type {Redis & { take(key: string, rate: number, burst: number): Promise<number> }} */ (
    new Redis(port, '127.0.0.1', clientOptions)
  );
  redis.defineCommand('take', { numberOfKeys: 1, lua: takeToken });
  await once(redis, 'ready');
  const limiter = await RedisLimiter.open({
    ...{
      redis: ioRedis(redis),
      prefix: 'bench',
      name: 'limit',
      tokenBucket: rate,
      lease: { maxTokens: 1_000 },
    },
  });
  let allowed = 0;
  let end = 0;
  const lease = async () => {
    for (let n = 1; ; n++) {
      if (limiter.tryLeased() !== undefined || (await limiter.allow())) allowed++;
      if (n % 1_024 !== 0) continue;
      if (performance.now() >= end) return;
      await new Promise((resolve) => setImmediate(resolve)); // the calls that renew the lease need the event loop
    }
  };
  const script = async () => {
    while (performance.now() < end) {
      if ((await redis.take('bench:script', rate.ratePerSecond, rate.burst)) === 1) allowed++;
    }
  };
  const all = () => Promise.all(Array.from({ length: limiterInFlight }, leases ? lease : script));
  try {
    end = performance.now() + warmUpMs;
    await all();
    allowed = 0;
    const startedAt = performance.now();
    end = startedAt + measuredMs;
    await all();
    return allowed / ((performance.now() - startedAt) / 1_000);
  } finally {
    await limiter.close();
    redis.disconnect();
    await stop();
  }
}
