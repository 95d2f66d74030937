import { createClient } from 'redis';
import { nodeRedis, RedisStock } from 'sluice/redis';
import { afterAll, describe, expect, it } from 'vitest';
import { endServers, Server, servers } from '../servers.js';

afterAll(endServers);

describe.each(servers)('With $binary, a stock', ({ binary, missing }) => {
  it.skipIf(missing)('is not opened where another program has a key of it, and says which', async () => {
    const { port } = await Server.start(binary);
    const client = createClient({ url: `redis://127.0.0.1:${port}`, disableOfflineQueue: true });
    await client.connect();
    const options = { redis: nodeRedis(client), prefix: 'test', sale: 'x', items: [{ sku: 7, quantity: 9 }] };
    try {
      for (const name of ['items', 'expiry', 'movements', 'accepted']) {
        await client.set(`test:{x}:${name}`, 'foreign');
        const message = expect.stringMatching(new RegExp(`WRONGTYPE .* test:{x}:${name} .* string$`));
        await expect(RedisStock.open(options)).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS', message });
        expect(await client.keys('*')).toEqual([`test:{x}:${name}`]);
        await client.del(`test:{x}:${name}`);
      }
    } finally {
      client.destroy();
    }
  });

  it.skipIf(missing)('is not opened by a user who may not run a command, and says which', async () => {
    const { port } = await Server.start(binary);
    const client = createClient({ url: `redis://127.0.0.1:${port}`, disableOfflineQueue: true });
    await client.connect();
    const options = { redis: nodeRedis(client), prefix: 'test', sale: 'x', items: [{ sku: 7, quantity: 9 }] };
    try {
      for (const name of ['XADD', 'XRANGE', 'ZREM', 'HDEL', 'ZCARD']) {
        await client.sendCommand(['ACL', 'SETUSER', 'default', '+@all', `-${name.toLowerCase()}`]);
        const message = expect.stringMatching(new RegExp(`NOPERM .* ${name}$`));
        await expect(RedisStock.open(options)).rejects.toMatchObject({ code: 'ERR_SLUICE_REDIS', message });
      }
      await client.sendCommand(['ACL', 'SETUSER', 'default', '+@all', 'resetkeys', '~test:*']);
      const stock = await RedisStock.open(options);
      await stock.audit();
      await stock.close();
    } finally {
      client.destroy();
    }
  });
});
