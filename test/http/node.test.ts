import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import Fastify from 'fastify';
import { Limiter, ManualClock } from 'sluice';
import { fastifyLimit } from 'sluice/fastify';
import { fetchLimit } from 'sluice/fetch';
import { type LimitOptions, limit } from 'sluice/http';
import { afterEach, describe, expect, it } from 'vitest';
import { expectError, thrown } from '../thrown.js';
import { listening, type Running } from './frameworks.js';

const closing: Array<{ close(): Promise<unknown> }> = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((running) => running.close()));
});
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}
async function serve(
  options: LimitOptions<IncomingMessage>,
  app: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end('fine'),
): Promise<Running> {
  const limited = limit(options);
  const running = await listening(
    createServer((request, response) =>
      limited(request, response, (error) => {
        if (error !== undefined) response.statusCode = 500;
        app(request, response);
      }),
    ),
  );
  closing.push(running);
  return running;
}
/** Sends `text` on a raw connection and returns all that comes until `done` or the end. */
async function raw(
  port: number,
  text: string,
  halfClose: boolean,
  done: (got: string) => boolean,
): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let got = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    got += part;
    if (done(got)) socket.destroy();
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  if (halfClose) socket.end(text);
  else socket.write(text);
  await once(socket, 'close');
  return got;
}
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const depth = (max: number) => Limiter.create({ queueDepth: { max } });

describe('limit on raw connections', () => {
  it('counts pipelined requests one by one and gives each back', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 20 },
      queueDepth: { max: 50 },
    });
    const { port } = await serve({ limiter });
    const answers = (got: string) => got.match(/HTTP\/1\.1 \d+/g) ?? [];
    const got = await raw(port, get('/').repeat(30), false, (so) => answers(so).length === 30);
    expect(answers(got).filter((line) => line.endsWith('200'))).toHaveLength(20);
    expect(answers(got).filter((line) => line.endsWith('429'))).toHaveLength(10);
    await until(() => limiter.stats().inFlight === 0);
  });

  it('gives back what a pipeline holds whose connection dies before its answers', async () => {
    const limiter = depth(50);
    const { port } = await serve({ limiter }, () => {}); // never answers
    const socket = connect(port, '127.0.0.1');
    socket.write(get('/').repeat(12));
    await until(() => limiter.stats().inFlight === 12);
    socket.destroy();
    await until(() => limiter.stats().inFlight === 0);
  });

  it('gives back once when the connection dies in the middle of an answer', async () => {
    const limiter = depth(50);
    limiter.allow(undefined, 3);
    const { port } = await serve({ limiter }, (_, response) => response.write('x'.repeat(100)));
    await raw(port, get('/'), false, (got) => got.includes('xxx'));
    await until(() => limiter.stats().inFlight === 3);
  });

  it.each([true, false])(
    'gives back what a half-closed connection holds (answered: %s)',
    async (answered) => {
      const limiter = depth(5);
      const limited = limit({ limiter });
      const server = createServer((request, response) =>
        limited(request, response, () => setTimeout(() => response.end('late'), 20)),
      );
      // Node's own default is to hang up on a client that has ended its side.
      Object.assign(server, { httpAllowHalfOpen: answered });
      const running = await listening(server);
      closing.push(running);
      const got = await raw(running.port, get('/', 'Connection: close\r\n'), true, () => false);
      expect(got.includes('late')).toBe(answered);
      expect(limiter.stats().allowed).toBe(1);
      await until(() => limiter.stats().inFlight === 0);
    },
  );

  it('answers HEAD without a body, and keeps the connection', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 1 } });
    limiter.allow();
    const { port } = await serve({ limiter });
    const twice = 'HEAD / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2);
    const got = await raw(port, twice, false, (so) => (so.match(/\r\n\r\n/g) ?? []).length === 2);
    expect(got.match(/HTTP\/1\.1 429/g)).toHaveLength(2);
    expect(got).not.toContain('rate limited');
    expect(got).toContain('Content-Length: 24');
  });

  it('lets a request through whose response has begun', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 1 } });
    limiter.allow();
    const limited = limit({ limiter });
    const running = await listening(
      createServer((request, response) => {
        response.write('begun ');
        limited(request, response, () => response.end('ended'));
      }),
    );
    closing.push(running);
    expect(await (await fetch(running.url)).text()).toBe('begun ended');
  });
});

describe('the key by address', () => {
  const keyed = () =>
    Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 1 },
      keys: { max: 100 },
      clock: new ManualClock(),
    });
  const asks = (url: string) => async (forwarded: string) => {
    const response = await fetch(url, { headers: { 'x-forwarded-for': forwarded } });
    await response.arrayBuffer();
    return response.status;
  };

  it('does not believe X-Forwarded-For unless told to', async () => {
    const ask = asks((await serve({ limiter: keyed() })).url);
    expect([await ask('10.0.0.1'), await ask('10.0.0.2')]).toEqual([200, 429]);
  });

  it('believes what the outermost proxy of its own wrote, and nothing before it', async () => {
    const ask = asks((await serve({ limiter: keyed(), trustedProxies: 2 })).url);
    expect(await ask('1.1.1.1, 10.0.0.1, 10.9.9.9')).toBe(200);
    expect(await ask('2.2.2.2, 10.0.0.1, 10.9.9.9')).toBe(429);
    expect(await ask('1.1.1.1, 10.0.0.2, 10.9.9.9')).toBe(200);
  });

  it('takes the IPv6 addresses of one /56 as one, and mapped IPv4 addresses as what they are', async () => {
    const ask = asks((await serve({ limiter: keyed(), trustedProxies: 1 })).url);
    expect(await ask('2001:db8:1:2200::1')).toBe(200);
    expect(await ask('2001:db8:1:22ff:ffff::1')).toBe(429);
    expect(await ask('2001:db8:1:2300::1')).toBe(200);
    expect(await ask('::1')).toBe(200);
    expect(await ask('0:0:0:0:0:0:0:2')).toBe(429);
    expect(await ask('::ffff:9.8.7.6')).toBe(200);
    expect(await ask('9.8.7.6')).toBe(429);
    expect(await ask('fe80::1%eth0')).toBe(200);
  });
});

describe('functions among the options', () => {
  it('say key, cost and what is skipped; what they throw goes to next', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 5 }, keys: { max: 100 } });
    const { url } = await serve({
      limiter,
      key: (request) => request.headers['x-user']?.toString(),
      cost: (request) => {
        if (request.url === '/throw') throw new Error('no cost');
        return request.url === '/heavy' ? 3 : 1;
      },
      skip: (request) => request.url === '/health',
    });
    const status = async (path: string, user = 'ann') =>
      (await fetch(url + path, { headers: { 'x-user': user } })).status;
    expect([await status('/heavy'), await status('/heavy'), await status('/heavy', 'bob')]).toEqual([
      200, 429, 200,
    ]);
    for (let i = 0; i < 10; i++) expect(await status('/health')).toBe(200);
    expect([await status('/'), await status('/'), await status('/')]).toEqual([200, 200, 429]);
    expect(await status('/throw')).toBe(500);
  });

  it('are checked like all options, by name', () => {
    const keyless = Limiter.create(Limiter.flashSale);
    for (const [options, kind] of [
      [{ limiter: {} }, TypeError],
      [{ cost: 0 }, RangeError],
      [{ skip: true }, TypeError],
      [{ count: 'none' }, RangeError],
      [{ overloadStatus: 500 }, RangeError],
      [{ trustedProxies: -1 }, RangeError],
      [{ ipv6Prefix: 129 }, RangeError],
      [{ keys: 'address' }, TypeError],
      [{ limiter: keyless, key: 'address' }, TypeError],
    ] as const) {
      expectError(
        thrown(() => limit(options as never)),
        'ERR_SLUICE_OPTION',
        kind,
      );
    }
    const keyed = Limiter.create({ ...Limiter.flashSale, keys: { max: 10 } });
    expectError(
      thrown(() => fetchLimit(() => new Response(), { limiter: keyed })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });
});

describe('without options', () => {
  it('limits to the flash-sale preset', async () => {
    const { url } = await serve({});
    const policy = (await fetch(url)).headers.get('ratelimit-policy');
    expect(policy).toBe(
      '"bucket";q=100;w=1, "window";q=120;w=1, "concurrency";q=50;qu="concurrent-requests"',
    );
  });
});

describe('fastifyLimit', () => {
  it('limits its own scope, with options per route', async () => {
    const fastify = Fastify({ forceCloseConnections: true });
    closing.push(fastify);
    const none = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 1 } });
    none.allow();
    const some = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 2 } });
    fastify.get('/outside', async () => 'fine');
    fastify.register((scope, _options, done) => {
      scope.register(fastifyLimit as never, { limiter: none } as never).after(() => {
        scope.get('/inside', async () => 'fine');
        scope.get('/free', { config: { limit: false } as never }, async () => 'fine');
        scope.get('/own', { config: { limit: { limiter: some, cost: 2 } } as never }, async () => 'fine');
        scope.register((within, _none, ready) => {
          within.get('/within', async () => 'fine');
          ready();
        });
      });
      done();
    });
    const status = async (path: string) => (await fastify.inject(path)).statusCode;
    expect(await status('/outside')).toBe(200);
    expect(await status('/inside')).toBe(429);
    expect(await status('/within')).toBe(429);
    expect(await status('/free')).toBe(200);
    expect([await status('/own'), await status('/own')]).toEqual([200, 429]);
    await expect(
      Fastify()
        .register(fastifyLimit as never, { limit: 3 } as never)
        .ready(),
    ).rejects.toThrow(/unknown option "limit"/);
  });
});
