import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clients, connect, disconnect } from './clients.js';
import { TcpProxy } from './proxy.js';
import { newStream, order, queueOf, until } from './scene.js';
import { endServers, Server, servers } from './servers.js';

describe.each(servers)('On $binary', ({ binary, missing }) => {
  let server: Server;
  let proxy: TcpProxy;
  beforeAll(async () => {
    if (missing) return;
    server = await Server.start(binary);
    proxy = await TcpProxy.before(server.port);
  });
  afterEach(disconnect);
  afterAll(async () => {
    await proxy?.close();
    await endServers();
  });

  describe.each(clients)('a push with %s', (client) => {
    it.skipIf(missing)('stores an order once when the reply is lost', async () => {
      const orders = queueOf(await connect(proxy.port, client), newStream());
      await orders.push(order(1)); // so that the server knows the script
      const cut = proxy.cutAt('the lost one', { executes: true });
      expect(await orders.push(order(2, 'the lost one'))).toMatchObject({ duplicate: true });
      await cut;
      expect(await orders.depth()).toBe(2);
      expect(orders.stats().retries).toBeGreaterThan(0);
    });

    it.skipIf(missing)(
      'stores an order once when the connection is cut before the server gets it',
      async () => {
        const orders = queueOf(await connect(proxy.port, client), newStream());
        await orders.push(order(1));
        const cut = proxy.cutAt('the early one', { executes: false });
        expect(await orders.push(order(2, 'the early one'))).toMatchObject({ duplicate: false });
        await cut;
        expect(await orders.depth()).toBe(2);
      },
    );

    it.skipIf(missing)(
      'ends with a time-out when nothing answers, and the same order can be pushed again',
      async () => {
        const stream = newStream();
        const redis = await connect(proxy.port, client);
        const orders = queueOf(redis, stream);
        await orders.push(order(1));
        proxy.isHole = true;
        try {
          const late = orders.push(order(2), { timeoutMs: 200 });
          await expect(late).rejects.toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
          const controller = new AbortController();
          const aborted = orders.push(order(3), { signal: controller.signal });
          controller.abort(new Error('enough'));
          await expect(aborted).rejects.toThrow('enough');
        } finally {
          proxy.isHole = false;
          proxy.cut();
        }
        expect(await orders.push(order(2))).toEqual({ entry: expect.any(String), duplicate: false });
        expect(await orders.depth()).toBe(2);
        expect(orders.stats().inFlight).toBe(0);
      },
    );

    it.skipIf(missing)('goes on when the server was killed and comes back', async () => {
      const kept = await Server.start(binary, ['--appendonly', 'yes', '--appendfsync', 'always']);
      const orders = queueOf(await connect(kept.port, client), newStream());
      const pushed = [];
      for (let i = 0; i < 50; i++) pushed.push(orders.push(order(i), { timeoutMs: 20_000 }));
      await kept.end('SIGKILL');
      for (let i = 50; i < 100; i++) pushed.push(orders.push(order(i), { timeoutMs: 20_000 }));
      await until('a push tries again', () => orders.stats().retries > 0);
      await kept.start();
      expect(await Promise.all(pushed)).toHaveLength(100);
      expect(await orders.depth()).toBe(100);
      await kept.end('SIGKILL');
    });
  });

  it.skipIf(missing)('refuses more pushes in flight than maxInFlight', async () => {
    const { RedisQueue } = await import('sluice/redis');
    const { Order } = await import('./scene.js');
    const redis = await connect(proxy.port);
    const options = { redis, stream: newStream(), record: Order, id: 'orderId' as const, maxInFlight: 2 };
    const orders = new RedisQueue(options);
    const both = [orders.push(order(1)), orders.push(order(2))];
    await expect(orders.push(order(3))).rejects.toMatchObject({ code: 'ERR_SLUICE_WAITERS' });
    await Promise.all(both);
    expect(await orders.push(order(3))).toMatchObject({ duplicate: false });
  });

  it.skipIf(missing)(
    'counts the orders whose command has no answer yet, though their push has given up',
    async () => {
      const { RedisQueue } = await import('sluice/redis');
      const { Order } = await import('./scene.js');
      const redis = await connect(proxy.port);
      const options = { redis, stream: newStream(), record: Order, id: 'orderId' as const, maxInFlight: 2 };
      const orders = new RedisQueue(options);
      await orders.push(order(1));
      proxy.isHole = true;
      const late = orders.pushMany([order(2), order(3)], { timeoutMs: 50 });
      await expect(late).rejects.toMatchObject({ code: 'ERR_SLUICE_TIMEOUT' });
      expect(orders.stats().inFlight).toBe(2);
      await expect(orders.push(order(4))).rejects.toMatchObject({ code: 'ERR_SLUICE_WAITERS' });
      proxy.isHole = false;
      proxy.cut(); // the client gives the command up
      await until('none is in flight', () => orders.stats().inFlight === 0);
      expect(await orders.push(order(4))).toMatchObject({ duplicate: false });
    },
  );
});
