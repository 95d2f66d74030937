import { type RedisPort, RedisStock } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect, disconnect } from '../clients.js';
import { endServers, noRedis, Server } from '../servers.js';
import { leaveSales, newSale, openSale } from './sales.js';

let server: Server;
beforeAll(async () => {
  if (!noRedis) server = await Server.start();
});
afterEach(async () => {
  await leaveSales();
  disconnect();
});
afterAll(endServers);

/** A port whose answers to scripts `wrong` replaces as long as it returns something. */
function lying(redis: RedisPort, wrong: (reply: unknown) => unknown): RedisPort {
  return {
    async send(args, options) {
      const reply = await redis.send(args, options);
      return /^EVAL/.test(String(args[0])) ? (wrong(reply) ?? reply) : reply;
    },
    duplicate: async (key) => lying(await redis.duplicate(key), wrong),
    close: () => redis.close(),
  };
}

describe.skipIf(noRedis)('A stock, if the server or something before it answers', () => {
  const items = [{ sku: 7, quantity: 50 }];
  // Each takes the place of the answer to the call that settles an order.
  const wrongs: Array<[string, (reply: unknown[]) => unknown]> = [
    ['null', () => null],
    ['a text', () => 'OK'],
    ['an empty list', () => []],
    ['another status', (reply) => ['done', ...reply.slice(1)]],
    ['no fence', ([status, , ...rest]) => [status, 'x', ...rest]],
    ['no items', ([status, fence, number]) => [status, fence, number]],
    [
      'a negative grant',
      ([status, fence, number, , ...rest]) => [status, fence, number, [[-5, 0, 0, -1, 0]], ...rest],
    ],
    ['fewer answers than operations', (reply) => [...reply.slice(0, 4), '[]', ...reply.slice(5)]],
    ['answers that are no JSON', (reply) => [...reply.slice(0, 4), '[[', ...reply.slice(5)]],
    ['an answer that is empty', (reply) => [...reply.slice(0, 4), '[[]]', ...reply.slice(5)]],
    ['a gap before what was sent', () => ['gap', 10 ** 9]],
    [
      'an order that it does not know',
      (reply) => [
        ...reply.slice(0, 4),
        JSON.stringify([['reserved', 'x', 'held', 1, 'd']]),
        ...reply.slice(5),
      ],
    ],
  ];
  it.each(wrongs)('%s, asks again, and reserves once', async (_, wrong) => {
    let lies = 2;
    const redis = lying(await connect(server.port), (reply) => {
      const isSettlement = Array.isArray(reply) && typeof reply[4] === 'string' && reply[4] !== '[]';
      if (!isSettlement || lies === 0) return undefined;
      lies--;
      const said = wrong(reply);
      return said === null ? [] : said;
    });
    const stock = await openSale(0, { redis, items, timeoutMs: 20_000 });
    const answer = await stock.reserve({ sku: 7, quantity: 1, id: 1 });
    expect(answer).toMatchObject({ ok: true, duplicate: false });
    expect(lies).toBe(0);
    expect(stock.stats()).toMatchObject({ faults: 2, reserved: 1 });
    expect(await stock.counts(7)).toMatchObject({ total: 50, available: 49, reserved: 1 });
    await stock.audit();
  });

  it.each([[null], ['OK'], [[]], [['open']], [['limit', 'x', 1]]])('%j, does not open', async (reply) => {
    const redis = lying(await connect(server.port), () => (reply === null ? 'nothing' : reply));
    const opening = RedisStock.open({ redis, prefix: 'test', sale: newSale(), items });
    if (JSON.stringify(reply) === '["open"]') await (await opening).close();
    else await expect(opening).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
  });

  it('that the sale is gone, or of another version, rejects', async () => {
    const redis = await connect(server.port);
    const sale = newSale();
    const stock = await openSale(0, { redis, sale, items });
    await stock.reserve({ sku: 7, quantity: 1 });
    await redis.send(['HSET', `test:{${sale}}:items`, 'version', '2']);
    await expect(stock.confirm(1n)).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
    await expect(stock.reserve({ sku: 7, quantity: 1 })).rejects.toThrow(/version: 2/);
    await expect(openSale(0, { redis, sale, items })).rejects.toThrow(/version 2/);
    await redis.send(['DEL', `test:{${sale}}:items`]);
    await expect(stock.reserve({ sku: 7, quantity: 1 })).rejects.toThrow(/is gone/);
    await expect(stock.audit()).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS' });
  });

  it('an audit with numbers that do not add up, says which', async () => {
    const redis = await connect(server.port);
    const sale = newSale();
    const stock = await openSale(0, {
      redis,
      sale,
      items: [{ sku: 7, quantity: 50, perUser: 2 }],
      lease: false,
    });
    const answer = await stock.reserve({ sku: 7, quantity: 1, user: 1, id: 'a' });
    if (!answer.ok) throw new Error('not reserved');
    const begin = `test:{${sale}}`;
    const broken = async (says: RegExp, ...command: string[]): Promise<void> => {
      const [name = '', key = '', ...rest] = command;
      const copy = await redis.send(['DUMP', `${begin}:${key}`], { bytes: true });
      await redis.send([name, `${begin}:${key}`, ...rest]);
      await expect(stock.audit()).rejects.toThrow(says);
      await redis.send(['RESTORE', `${begin}:${key}`, '0', copy as Buffer, 'REPLACE']);
      await stock.audit();
    };
    await broken(/total 50, but free 48/, 'HINCRBY', 'items', 'n7|free', '-1');
    await broken(/held 2, but reservations hold 1/, 'HINCRBY', 'items', 'n7|held', '1');
    await broken(/leased 3, but members have 0/, 'HINCRBY', 'items', 'n7|leased', '3');
    await broken(/would never expire/, 'ZREM', 'due', String(answer.reservation));
    await broken(/does not lead to it/, 'HDEL', 'ids', 'ta');
    await broken(/has 1 units, but 0 are counted/, 'HINCRBY', 'users', 'n7|n1', '-1');
    await broken(/total is nil/, 'HDEL', 'items', 'n7|total');
  });
});
