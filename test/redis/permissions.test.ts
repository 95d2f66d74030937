import { RedisLimiter, type RedisPort, redisStore } from 'sluice/redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, disconnect } from './clients.js';
import { newStream, order, queueOf, workersOf } from './scene.js';
import { endServers, Server, servers } from './servers.js';

const bucket = { tokenBucket: { ratePerSecond: 1, burst: 9 } };
const format = { schema: 7n, entryBytes: 16, lanes: 1 };

// Redis ends a script at the first command that the user may not run, and keeps what the script has written before.
describe.each(servers)('With $binary, a user who may not run a command', ({ binary, missing }) => {
  let redis: RedisPort;
  beforeAll(async () => {
    if (!missing) redis = await connect((await Server.start(binary)).port);
  });
  afterAll(async () => {
    disconnect();
    await endServers();
  });

  /** Rejects as `call` does for a user who may run all commands but one. */
  async function without(command: string, call: () => Promise<unknown>): Promise<void> {
    await redis.send(['ACL', 'SETUSER', 'default', '+@all', `-${command.toLowerCase()}`]);
    try {
      await call();
    } finally {
      await redis.send(['ACL', 'SETUSER', 'default', '+@all']);
    }
  }
  const noticeOf = (command: string, code = 'ERR_SLUICE_REDIS') => ({
    code,
    message: expect.stringMatching(new RegExp(`NOPERM .* ${command}$`)),
  });

  it.skipIf(missing).each(['XADD', 'SET'])('has no order stored without its id: %s', async (command) => {
    const stream = newStream();
    const queue = queueOf(redis, stream);
    const pushed = without(command, () => queue.push(order(1)));
    await expect(pushed).rejects.toMatchObject(noticeOf(command));
    expect(await redis.send(['KEYS', `*${stream.slice(5, -7)}*`])).toEqual([]);
    await queue.push(order(1));
    expect(await redis.send(['XLEN', stream])).toBe(1);
  });

  it.skipIf(missing).each(['XACK', 'XADD', 'XDEL', 'XCLAIM', 'XPENDING', 'XRANGE', 'ZADD', 'ZRANGE', 'ZREM'])(
    'gets no order to work on: %s',
    async (command) => {
      const stream = newStream();
      await queueOf(redis, stream).push(order(1));
      const workers = workersOf(redis, stream);
      const handled: unknown[] = [];
      const ran = without(command, () => workers.run((one) => handled.push(one)));
      await expect(ran).rejects.toMatchObject(noticeOf(command));
      expect(handled).toEqual([]);
      expect(await redis.send(['XINFO', 'GROUPS', stream])).toEqual([]);
    },
  );

  it.skipIf(missing)('may be one whose keys have a pattern', async () => {
    await redis.send(['ACL', 'SETUSER', 'default', 'resetkeys', '~shop:*']);
    try {
      const limiter = await RedisLimiter.open({ ...{ redis, prefix: 'shop', name: 'b' }, ...bucket });
      expect(await limiter.allow()).toBe(true);
      await limiter.reset();
      await limiter.close();
      const store = await redisStore({ redis, stream: newStream() }).open(format);
      await store.close();
      const stream = newStream();
      await queueOf(redis, stream).push(order(1));
      const end = new AbortController();
      const workers = workersOf(redis, stream);
      await workers.run(() => end.abort(), { signal: end.signal }).catch(() => {});
      expect(end.signal.aborted).toBe(true);
    } finally {
      await redis.send(['ACL', 'SETUSER', 'default', 'allkeys']);
    }
  });

  it.skipIf(missing).each(['SET', 'DEL'])('opens no limiter: %s', async (command) => {
    const opened = without(command, () =>
      RedisLimiter.open({ ...{ redis, prefix: 'shop', name: 'a' }, ...bucket }),
    );
    await expect(opened).rejects.toMatchObject(noticeOf(command));
  });

  it.skipIf(missing).each(['XADD', 'XDEL', 'HSET', 'HINCRBY', 'HDEL', 'SET', 'DEL', 'PEXPIRE'])(
    'opens no store: %s',
    async (command) => {
      const stream = newStream();
      const store = redisStore({ redis, stream });
      const opened = without(command, () => store.open(format));
      await expect(opened).rejects.toMatchObject(noticeOf(command, 'ERR_SLUICE_STORE_FAILED'));
      expect(await redis.send(['KEYS', `*${stream.slice(5, -7)}*`])).toEqual([]);
    },
  );
});
