import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2ServerRequest,
} from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import Fastify from 'fastify';
import { Limiter, ManualClock, Queue, record, u32 } from 'sluice';
import { fastifyLimit } from 'sluice/fastify';
import { fetchLimit } from 'sluice/fetch';
import { type LimitOptions, limit } from 'sluice/http';
import { parseList } from 'structured-headers';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { closedAfterEach } from './closing.js';
import { listening, type Running } from './frameworks.js';

const closing = closedAfterEach();
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

  it('leaves no listener behind on a connection that is kept alive', async () => {
    const limiter = depth(5);
    const listeners: number[] = [];
    const { port } = await serve({ limiter }, (request, response) => {
      listeners.push(request.socket.listenerCount('close'));
      response.end('fine');
    });
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    for (let i = 0; i < 30; i++) {
      socket.write(get('/'));
      await once(socket, 'data');
    }
    socket.destroy();
    expect(new Set(listeners).size).toBe(1);
    await until(() => limiter.stats().inFlight === 0);
    expect(limiter.stats().allowed).toBe(30);
  });

  it('survives that its limiter is disposed of while it answers', async () => {
    const limiter = depth(5);
    const { url } = await serve({ limiter, count: 'failed' }, (_, response) => {
      limiter[Symbol.dispose]();
      response.end('fine');
    });
    expect(await (await fetch(url)).text()).toBe('fine');
    expect((await fetch(url)).status).toBe(500); // no longer limited, and not answered as if it were
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

  it('does not take the ports that some proxies write for a part of the address', async () => {
    const ask = asks((await serve({ limiter: keyed(), trustedProxies: 1 })).url);
    expect([await ask('9.8.7.6:1000'), await ask('9.8.7.6:1001'), await ask('9.8.7.6')]).toEqual([
      200, 429, 429,
    ]);
    expect([await ask('[2001:db8::1]:1000'), await ask('[2001:db8::2]'), await ask('2001:db8::3')]).toEqual([
      200, 429, 429,
    ]);
  });

  it('falls back to the peer where the header has too few entries', async () => {
    const ask = asks((await serve({ limiter: keyed(), trustedProxies: 2 })).url);
    expect([await ask('1.1.1.1'), await ask('2.2.2.2'), await ask('')]).toEqual([200, 429, 429]);
    expect([await ask(',1.1.1.1'), await ask(', 1.1.1.1')]).toEqual([429, 429]);
    expect([await ask('3.3.3.3,1.1.1.1'), await ask(`${'x,'.repeat(3_000)}4.4.4.4,1.1.1.1`)]).toEqual([
      200, 200,
    ]);
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
      [{ cost: -1 }, RangeError],
      [{ oversizedStatus: 429 }, RangeError],
      [{ oversizedStatus: 500 }, RangeError],
      [{ skip: true }, TypeError],
      [{ count: 'none' }, RangeError],
      [{ overloadStatus: 500 }, RangeError],
      [{ trustedProxies: -1 }, RangeError],
      [{ ipv6Prefix: 129 }, RangeError],
      [{ keys: 'address' }, TypeError],
      [{ limiter: keyless, key: 'address' }, TypeError],
    ] as const) {
      expectError(
        thrown(() => limit(mistyped(options))),
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

describe('a refusal', () => {
  const refusal = async (limiter: Limiter, options: LimitOptions<IncomingMessage> = {}) => {
    const response = await fetch((await serve({ limiter, problem: true, ...options })).url);
    return { response, problem: (await response.json()) as Record<string, unknown> };
  };
  const clock = new ManualClock();
  const quota = 'https://iana.org/assignments/http-problem-types#quota-exceeded';
  const reduced = 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity';

  it.each([
    [{ tokenBucket: { ratePerSecond: 1 / 86_400, burst: 1 } }, '86400'],
    [{ tokenBucket: { ratePerSecond: 3, burst: 1 } }, '1'],
    [{ tokenBucket: { ratePerSecond: 0.7, burst: 1 } }, '2'],
    [{ slidingWindow: { limit: 1, windowMs: 59_999, exact: true } }, '60'],
    [{ slidingWindow: { limit: 1, windowMs: 2_000, exact: true } }, '2'],
    [{ queueDepth: { max: 1 } }, '1'],
  ])('tells the whole time to wait, in seconds rounded up: %j, %s', async (options, seconds) => {
    const limiter = Limiter.create({ ...options, clock });
    limiter.allow();
    const { response } = await refusal(limiter);
    expect(response.headers.get('retry-after')).toBe(seconds);
    const [, parameters] = parseList(response.headers.get('ratelimit') ?? '')[0] ?? [];
    expect(Object.fromEntries(parameters as Map<string, unknown>)).toEqual({ r: 0, t: Number(seconds) });
  });

  it('tells how much of the wait remains, not how long the window is', async () => {
    const limiter = Limiter.create({ slidingWindow: { limit: 1, windowMs: 60_000, exact: true }, clock });
    limiter.allow();
    clock.advance(45_500);
    expect((await refusal(limiter)).response.headers.get('retry-after')).toBe('15');
  });

  it('of a cost that can never pass tells no time, and the policy that it exceeds', async () => {
    const tiers = {
      bucket: { tokenBucket: { ratePerSecond: 1, burst: 10 } },
      window: { slidingWindow: { limit: 10, windowMs: 1_000 } },
      concurrency: { queueDepth: { max: 10 } },
    };
    for (const [policy, options] of Object.entries(tiers)) {
      const limiter = Limiter.create({ ...options, clock });
      limiter.allow(undefined, 7);
      for (const [more, title] of [
        [{}, 'Content Too Large'],
        [{ oversizedStatus: 400, overloadStatus: 503 }, 'Bad Request'],
      ] as const) {
        const { response, problem } = await refusal(limiter, { cost: 11, ...more });
        const status = title === 'Bad Request' ? 400 : 413;
        expect(response.status).toBe(status);
        expect(response.headers.has('retry-after')).toBe(false);
        expect(problem).toEqual({
          type: 'about:blank',
          title,
          status,
          detail: expect.any(String),
          'violated-policies': [policy],
        });
        const [, parameters] = parseList(response.headers.get('ratelimit') ?? '')[0] ?? [];
        const told = Object.fromEntries(parameters as Map<string, unknown>);
        expect(told['r']).toBe(3);
        if (policy === 'concurrency') expect(told).not.toHaveProperty('t');
        else expect(told['t']).toBeLessThanOrEqual(2);
      }
    }
    const full = Limiter.create({ ...tiers.window, clock });
    expect((await refusal(full, { cost: 11 })).response.headers.get('ratelimit')).toBe('"window";r=10;t=1');
  });

  it('has a problem type by its cause, and names the policy that it violates', async () => {
    const window = Limiter.create({ slidingWindow: { limit: 1, windowMs: 1_000 }, clock });
    window.allow();
    expect((await refusal(window)).problem).toEqual({
      type: quota,
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      'violated-policies': ['window'],
    });
    const full = depth(1);
    full.allow();
    expect((await refusal(full)).problem).toMatchObject({
      type: quota,
      status: 429,
      'violated-policies': ['concurrency'],
    });
    expect((await refusal(full, { overloadStatus: 503 })).problem).toMatchObject({
      type: reduced,
      status: 503,
      'violated-policies': ['concurrency'],
    });
    window.block(undefined, 5_000);
    expect((await refusal(window)).problem).toEqual({
      type: 'about:blank',
      title: 'Too Many Requests',
      status: 429,
    });
  });

  it('by the adaptive tier is 503 if so configured', async () => {
    const queue = Queue.create(record({ number: u32 }), { capacity: 10 });
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1, burst: 100 },
      adaptive: { queue, maxQueueWaitMs: 10, intervalMs: 10 },
      clock,
    });
    queue.tryPush({ number: 1 });
    for (const ms of [0, 50, 50]) {
      clock.advance(ms);
      limiter.allow();
    }
    const { response, problem } = await refusal(limiter, { overloadStatus: 503 });
    expect([response.status, problem['type']]).toEqual([503, reduced]);
    expect(response.headers.get('retry-after')).toBe('1');
  });
});

describe('the header fields', () => {
  it('hold what structured fields can, whatever the figures', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 2 ** 32 - 1 } });
    const { headers } = await fetch((await serve({ limiter })).url);
    const [policy] = parseList(headers.get('ratelimit-policy') ?? '');
    expect(Object.fromEntries(policy?.[1] as Map<string, unknown>)).toEqual({
      q: 2 ** 32 - 1,
      w: 999_999_999_999_999,
    });
  });

  it('say the partition as its documentation does', async () => {
    const limiter = Limiter.create({ ...Limiter.flashSale, keys: { max: 10 } });
    const { headers } = await fetch((await serve({ limiter, key: () => 42 })).url);
    const [, parameters] = parseList(headers.get('ratelimit') ?? '')[0] ?? [];
    const expected = createHash('sha256').update('number:42').digest().subarray(0, 12);
    expect(Buffer.from((parameters as Map<string, ArrayBuffer>).get('pk') as ArrayBuffer)).toEqual(expected);
  });
});

describe('count', () => {
  it.each(['failed', 'successful'] as const)('of %s gives the others back', async (count) => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 50 },
      slidingWindow: { limit: 60, windowMs: 1_000 },
      clock: new ManualClock(),
    });
    const { url } = await serve({ limiter, count, cost: 2 }, (request, response) => {
      response.statusCode = Number(request.url?.slice(1));
      response.end();
    });
    const counted = count === 'failed' ? [400, 404, 503] : [200, 204, 304, 399];
    for (const status of [200, 204, 304, 399, 400, 404, 503]) {
      await (await fetch(`${url}/${status}`)).arrayBuffer();
    }
    await until(() => limiter.peek().remaining === 50 - 2 * counted.length);
  });

  it('gives back to a guest of the limiter what it had charged', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 2 },
      keys: { max: 8 }, // one set of 16
      clock: new ManualClock(),
    });
    for (let i = 0; i < 16; i++) limiter.allow(i);
    const { url } = await serve({ limiter, count: 'failed', key: (request) => request.url });
    for (let i = 0; i < 5; i++) {
      const response = await fetch(`${url}/${i}`);
      await response.arrayBuffer();
      expect(response.status).toBe(200);
      await until(() => limiter.peek({ key: `/${i}` }).remaining === 2);
    }
    expect(limiter.stats().overflowed).toBe(5);
  });
});

describe('over HTTP/2', () => {
  it('limits streams, and gives back those that are reset', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 2 } });
    const limited = limit<Http2ServerRequest>({ limiter });
    const running = await listening(
      createHttp2Server((request, response) =>
        limited(request, response, () => {
          if (request.url !== '/never') response.end('fine');
        }),
      ),
    );
    const client = connectHttp2(running.url);
    const ask = async (path: string) => {
      const stream = client.request({ ':path': path });
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      stream.resume();
      await once(stream, 'close');
      return headers[':status'];
    };
    const held = [client.request({ ':path': '/never' }), client.request({ ':path': '/never' })];
    await until(() => limiter.stats().inFlight === 2);
    expect(await ask('/')).toBe(429);
    held[0]?.on('error', () => {}).close();
    await until(() => limiter.stats().inFlight === 1);
    expect(await ask('/')).toBe(200);
    client.destroy();
    await until(() => limiter.stats().inFlight === 0);
    await running.close();
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
      scope.register(fastifyLimit, { limiter: none }).after(() => {
        scope.get('/inside', async () => 'fine');
        scope.get('/free', { config: { limit: false } }, async () => 'fine');
        scope.get('/own', { config: { limit: { limiter: some, cost: 2 } } }, async () => 'fine');
        scope.register((within, _none, ready) => {
          within.get('/within', async () => 'fine');
          ready();
        });
      });
      done();
    });
    fastify.register((sibling, _options, done) => {
      sibling.get('/beside', async () => 'fine');
      done();
    });
    const status = async (path: string) => (await fastify.inject(path)).statusCode;
    expect([await status('/outside'), await status('/beside')]).toEqual([200, 200]);
    expect(await status('/inside')).toBe(429);
    expect(await status('/within')).toBe(429);
    expect(await status('/free')).toBe(200);
    expect([await status('/own'), await status('/own')]).toEqual([200, 429]);
    await expect(
      Fastify()
        .register(fastifyLimit, mistyped({ limit: 3 }))
        .ready(),
    ).rejects.toThrow(/unknown option "limit"/);
    const misspelled = Fastify();
    await misspelled.register(fastifyLimit, { limiter: some });
    expect(() =>
      misspelled.get('/', { config: mistyped({ limit: { costs: 2 } }) }, async () => 'fine'),
    ).toThrow(/fastifyLimit: config.limit: unknown option "costs"/);
  });
});
