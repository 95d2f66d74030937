import { type ChildProcess, fork } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Express from 'express';
import Fastify from 'fastify';
import Koa from 'koa';
import type { Limiter } from 'sluice';
import { fastifyLimit } from 'sluice/fastify';
import { limit } from 'sluice/http';
import { koaLimit } from 'sluice/koa';
import { describe, expect, it } from 'vitest';
import { clientAddress, tellNoAddress } from '../../lib/http/client-address.js';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { ask, closing, listenAt, one, serve } from './asking.js';
import { listening } from './frameworks.js';

const require = createRequire(import.meta.url);

describe('trustedProxies', () => {
  const asks = async (trustedProxies: readonly string[]) => {
    const port = await serve({ limiter: one(), trustedProxies });
    return (forwarded?: string) => ask({ port }, forwarded);
  };

  it('by ranges: the key is the first address from the right that is not trusted', async () => {
    const status = await asks(['127.0.0.1', '10.0.0.0/8', '2001:db8::/32']);
    expect(await status('6.6.6.6, 1.1.1.1, 10.1.2.3, 2001:db8:ffff::1')).toBe(200);
    expect(await status('1.1.1.1')).toBe(429);
    expect(await status('7.7.7.7, 1.1.1.1, ::ffff:10.9.9.9')).toBe(429);
    expect(await status('1.1.1.1, 8.8.8.8,10.0.0.1')).toBe(200);
    expect(await status('1.1.1.1, 11.0.0.1, 10.0.0.1')).toBe(200);
  });

  it('by ranges: believes no other proxy', async () => {
    const status = await asks(['10.0.0.0/8']);
    expect([await status('1.1.1.1'), await status('2.2.2.2'), await status('10.0.0.1')]).toEqual([
      200, 429, 429,
    ]);
    const none = await asks([]);
    expect([await none('1.1.1.1'), await none('2.2.2.2')]).toEqual([200, 429]);
  });

  it('by ranges: the key is the outermost proxy where all are proxies, or an entry is empty or unknown', async () => {
    const status = await asks(['loopback', 'private']);
    expect([await status('192.168.1.1, 10.0.0.1'), await status('192.168.1.1')]).toEqual([200, 429]);
    expect([await status(), await status('')]).toEqual([200, 429]);
    expect([await status('1.1.1.1, , 172.16.0.1'), await status('172.31.255.255')]).toEqual([200, 200]);
    expect(await status('2.2.2.2, , 172.16.0.1')).toBe(429);
    expect([await status('1.1.1.1, unknown, fd00::1'), await status('2.2.2.2, unknown, fc00::1')]).toEqual([
      200, 429,
    ]);
  });

  it('by ranges: ports and zones are no part of an address', async () => {
    const status = await asks(['127.0.0.0/8', 'fe80::/10', '::ffff:172.20.0.0/112']);
    expect(await status('1.1.1.1:99, [fe80::1%eth0]:80, 172.20.7.7:81')).toBe(200);
    expect(await status('1.1.1.1:98, 172.20.7.8')).toBe(429);
  });

  it('by ranges: looks at no more than 32 entries', async () => {
    const status = await asks(['127.0.0.1', '10.0.0.0/8']);
    const proxies = (count: number) => ', 10.0.0.1'.repeat(count);
    expect([await status(`1.1.1.1${proxies(31)}`), await status(`1.1.1.1${proxies(30)}`)]).toEqual([
      200, 429,
    ]);
    expect([await status(`1.1.1.1${proxies(32)}`), await status(`2.2.2.2${proxies(1_000)}`)]).toEqual([
      200, 429,
    ]);
  });

  it('names what is no address, range or name', () => {
    for (const one of [
      '',
      'localhost',
      '10.0.0.0/33',
      '10.0.0.0/0',
      '::/0',
      '::ffff:0:0/96',
      '10.0.0.0/8/8',
    ]) {
      const error = thrown(() => limit({ trustedProxies: [one] }));
      expectError(error, 'ERR_SLUICE_OPTION', RangeError);
      expect(error.message).toMatch(/^limit: trustedProxies: expected an address, a range/);
    }
    for (const one of ['::1/129', '10.0.0.0/', '10.0.0.0/8x', 'fe80::1%eth0', 'toString', '__proto__']) {
      expectError(
        thrown(() => limit({ trustedProxies: [one] })),
        'ERR_SLUICE_OPTION',
        RangeError,
      );
    }
    for (const bad of [[5], [undefined], 'loopback', true, { length: 1 }]) {
      expectError(
        thrown(() => limit({ trustedProxies: mistyped(bad) })),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
  });
});

describe('the client’s address, as a framework has it,', () => {
  type Start = (
    options: { limiter: Limiter; trustedProxies?: string[] },
    proxied: boolean,
  ) => Promise<number>;
  const starts: Record<string, Start> = {
    Fastify: async (options, proxied) => {
      const fastify = Fastify({ forceCloseConnections: true, trustProxy: proxied ? '127.0.0.1' : false });
      await fastify.register(fastifyLimit, options);
      fastify.get('/', async () => 'fine');
      closing.push(fastify);
      return Number(new URL(await fastify.listen({ port: 0, host: '127.0.0.1' })).port);
    },
    Koa: async (options, proxied) => {
      const app = new Koa({ proxy: proxied, maxIpsCount: 1 });
      app.use(koaLimit(options));
      app.use((context) => {
        context.body = 'fine';
      });
      const running = await listening(createServer(app.callback()));
      closing.push(running);
      return running.port;
    },
  };
  for (const name of ['express', 'express4']) {
    starts[name] = async (options, proxied) => {
      const app = (require(name) as typeof Express)();
      if (proxied) app.set('trust proxy', 1);
      app.use(limit(options));
      app.use((_request, response) => {
        response.end('fine');
      });
      const running = await listening(createServer(app));
      closing.push(running);
      return running.port;
    };
  }

  describe.each(Object.entries(starts))('%s', (_name, start) => {
    it('is the key, whatever form it has', async () => {
      const limiter = one();
      const port = await start({ limiter }, true);
      expect([await ask({ port }, '1.1.1.1'), await ask({ port }, '::ffff:1.1.1.1')]).toEqual([200, 429]);
      expect([await ask({ port }, '2001:db8::1'), await ask({ port }, '2001:db8::2')]).toEqual([200, 429]);
      expect(await ask({ port }, '6.6.6.6, 1.1.1.1')).toBe(429);
    });

    it('is the peer’s, unless the framework trusts proxies', async () => {
      const port = await start({ limiter: one() }, false);
      expect([await ask({ port }, '1.1.1.1'), await ask({ port }, '2.2.2.2')]).toEqual([200, 429]);
    });

    it('does not count where trustedProxies is given', async () => {
      const port = await start({ limiter: one(), trustedProxies: [] }, true);
      expect([await ask({ port }, '1.1.1.1'), await ask({ port }, '2.2.2.2')]).toEqual([200, 429]);
      const other = await start({ limiter: one(), trustedProxies: ['loopback'] }, false);
      expect([await ask({ port: other }, '1.1.1.1'), await ask({ port: other }, '2.2.2.2')]).toEqual([
        200, 200,
      ]);
    });
  });
});

describe('a server on a unix socket', () => {
  const socket = () => join(tmpdir(), `sluice-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);

  it('believes its proxy if loopback is trusted, and not otherwise', async () => {
    const path = socket();
    await serve({ limiter: one(), trustedProxies: ['loopback'] }, { path });
    const to = { socketPath: path };
    expect([await ask(to, '1.1.1.1'), await ask(to, '1.1.1.1'), await ask(to, '2.2.2.2')]).toEqual([
      200, 429, 200,
    ]);
    const other = { path: socket() };
    await serve({ limiter: one(), trustedProxies: ['127.0.0.1', 'private'] }, other);
    expect([
      await ask({ socketPath: other.path }, '1.1.1.1'),
      await ask({ socketPath: other.path }, '2.2.2.2'),
    ]).toEqual([200, 429]);
  });

  it('does not take a connection that is gone for a proxy', async () => {
    const limiter = one();
    const limited = limit({ limiter, trustedProxies: ['loopback', '127.0.0.1'] });
    const passed: unknown[] = [];
    const addresses: string[] = [];
    const server = createServer((incoming, response) => {
      // The peer has no address any more, so its X-Forwarded-For is not believed.
      incoming.socket.destroy();
      addresses.push(clientAddress(incoming, () => true));
      limited(incoming, response, () => passed.push(incoming.headers['x-forwarded-for']));
    });
    const port = await listenAt(server, { host: '127.0.0.1' });
    for (const forwarded of ['1.1.1.1', '2.2.2.2']) {
      const client = connect(port, '127.0.0.1');
      client.on('error', () => {}).resume();
      client.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${forwarded}\r\n\r\n`);
      await once(client, 'close');
    }
    expect(addresses).toEqual(['', '']);
    // A client that has left is not decided about.
    expect(passed).toEqual([]);
    expect(limiter.stats().allowed).toBe(0);
  });

  it('does not take a connection that was reset before it was looked at for a proxy', () => {
    // The socket of such a connection has no peer any more, and is not destroyed yet.
    const socket = { destroyed: false, remoteAddress: undefined, localAddress: '127.0.0.1' };
    const headers = { 'x-forwarded-for': '1.1.1.1' };
    expect(clientAddress(mistyped({ socket, headers }), () => true)).toBe('');
    const unix = { ...socket, localAddress: undefined };
    expect(clientAddress(mistyped({ socket: unix, headers }), () => true)).toBe('1.1.1.1');
  });

  it('reports no missing address for a connection that is gone', () => {
    const told: unknown[] = [];
    const listener = (message: unknown) => told.push(message);
    subscribe('sluice:http:no-address', listener);
    for (const socket of [{ destroyed: true }, { destroyed: false, localAddress: '127.0.0.1' }]) {
      tellNoAddress('limit', { socket } as IncomingMessage);
    }
    unsubscribe('sluice:http:no-address', listener);
    expect(told).toEqual([]);
  });

  it('warns the process and a channel once that all its clients count as one', async () => {
    const child: ChildProcess = fork(new URL('./no-address.js', import.meta.url), [socket()], {
      silent: true,
    });
    let errors = '';
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      errors += part;
    });
    // Both are awaited from the start: the second might come before the first is taken.
    const [[message]] = (await Promise.all([once(child, 'message'), once(child, 'close')])) as [
      [unknown],
      unknown,
    ];
    expect(message).toEqual({ statuses: [200, 429, 429], channel: ['/first'] });
    expect(errors.match(/\[SLUICE_HTTP_NO_ADDRESS\] SluiceWarning: limit: /g)).toHaveLength(1);
  });
});
