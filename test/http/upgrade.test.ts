import { once } from 'node:events';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import fastifyWebsocket from '@fastify/websocket';
import Fastify from 'fastify';
import { Limiter, ManualClock } from 'sluice';
import { fastifyLimit } from 'sluice/fastify';
import { fetchUpgrade } from 'sluice/fetch';
import { limit } from 'sluice/http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';
import {
  openSocket,
  type SocketOptions,
  type StartSockets,
  socketServers,
  statusOf,
  trySocket,
  withAnotherListener,
} from './sockets.js';

const closing = closedAfterEach();
afterEach(() => {
  vi.useRealTimers();
});
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}

describe.each(Object.entries(socketServers))('the upgrades of %s', (name, start) => {
  const serve = async (options: SocketOptions) => {
    const running = await start(options);
    closing.push(running);
    return running;
  };

  it('hold their places until the websockets are closed, by whichever side', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 5 } });
    limiter.allow(undefined, 2);
    const { port, opened } = await serve({ limiter });
    const [one, two, three] = [await openSocket(port), await openSocket(port), await openSocket(port)];
    expect(limiter.stats().inFlight).toBe(5);
    expect(await statusOf(port)).toBe(429);
    one.send('hello');
    expect(String((await once(one, 'message'))[0])).toBe('hello');
    expect(limiter.stats().inFlight).toBe(5);
    one.close();
    await until(() => limiter.stats().inFlight === 4);
    two.terminate();
    await until(() => limiter.stats().inFlight === 3);
    const closed = once(three, 'close');
    opened[2]?.terminate();
    await until(() => limiter.stats().inFlight === 2);
    await closed;
    expect(await statusOf(port)).toBe(101);
    await until(() => limiter.stats().inFlight === 2);
    limiter.release(2);
  });

  it('are refused with 429, which says how long to wait', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 0.1, burst: 1 },
      clock: new ManualClock(),
    });
    const { port } = await serve({ limiter });
    expect(await statusOf(port)).toBe(101);
    const tried = await trySocket(port);
    if ('socket' in tried) throw new Error('admitted');
    const { statusCode, statusMessage, headers } = tried.refused;
    expect([statusCode, statusMessage, headers.connection]).toEqual([429, 'Too Many Requests', 'close']);
    // @hono/node-ws 1 writes only the status of a response.
    const told = name === '@hono/node-ws' ? undefined : '10';
    expect(headers['retry-after']).toBe(told);
    if (told !== undefined) expect(headers['ratelimit']).toBe('"bucket";r=0;t=10');
    tried.refused.resume();
    await once(tried.refused, 'close');
  });

  it.each(['failed', 'successful'] as const)('count by their own status, where %s count', async (count) => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 10 },
      queueDepth: { max: 50 },
      clock: new ManualClock(),
    });
    const { port } = await serve({ limiter, count });
    const socket = await openSocket(port);
    socket.close();
    await until(() => limiter.stats().inFlight === 0);
    const admitted = count === 'failed' ? 10 : 9;
    expect(limiter.peek().remaining).toBe(admitted);
    expect(await statusOf(port, '/refused')).toBe(401);
    await until(() => limiter.stats().inFlight === 0);
    expect(limiter.peek().remaining).toBe(9);
  });

  it('hold their places no longer than holdMs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const { port } = await serve({ limiter, holdMs: 1_000 });
    const first = await openSocket(port);
    expect(await statusOf(port)).toBe(429);
    vi.advanceTimersByTime(1_000);
    const second = await openSocket(port);
    first.terminate();
    await once(first, 'close');
    first.send('nothing', () => {});
    expect(limiter.stats().inFlight).toBe(1);
    second.terminate();
    await until(() => limiter.stats().inFlight === 0);
  });
});

/** Starts a server whose depth has three places, and notes the statuses that `count` sees. */
async function withThreePlaces(start: StartSockets) {
  const limiter = Limiter.create({ queueDepth: { max: 3 } });
  const statuses: number[] = [];
  const count = (_: unknown, status: number) => statuses.push(status) > 0;
  const running = await start({ limiter, count });
  closing.push(running);
  return { ...running, statuses, inFlight: () => limiter.stats().inFlight };
}

describe('an upgrade that nobody answers', () => {
  it.each([
    ['alone', '', []],
    ['behind a request that is answered after it', 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n', [200]],
  ])('%s gives its place back, and a websocket beside it keeps its own', async (_, before, answered) => {
    const { port, statuses, inFlight } = await withThreePlaces(withAnotherListener);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const websocket = await openSocket(port);
    const left = connect(port, '127.0.0.1');
    const upgrade = 'GET /refused HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    left.write(before + upgrade);
    await until(() => statuses.length === answered.length && inFlight() === 2);
    await until(() => vi.getTimerCount() === 2);
    left.destroy();
    vi.advanceTimersByTime(5_000);
    expect([inFlight(), statuses]).toEqual([1, [...answered, 401]]);
    websocket.close();
    await until(() => inFlight() === 0);
    expect(statuses).toEqual([...answered, 401, 101]);
  });
});

describe('a websocket that begins behind a request', () => {
  it('keeps its place until it is closed', async () => {
    const { port, opened, statuses, inFlight } = await withThreePlaces(withAnotherListener);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const client = connect(port, '127.0.0.1');
    client.on('error', () => {}).resume();
    client.write(
      'GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n' +
        'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    await until(() => opened.length === 1 && statuses.length === 1);
    vi.advanceTimersByTime(5_000);
    expect([inFlight(), statuses]).toEqual([1, [200]]);
    client.destroy();
    await until(() => statuses.length === 2);
    expect([inFlight(), statuses]).toEqual([0, [200, 101]]);
  });
});

describe('a request with an upgrade behind it in the pipeline', () => {
  it.each(['@hono/node-ws', '@hono/node-server 2'])(
    'gives its place back, though nobody reads the connection any more, with %s',
    async (name) => {
      const { port, statuses, inFlight } = await withThreePlaces(socketServers[name] as StartSockets);
      const client = connect(port, '127.0.0.1');
      client.write(
        'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n' +
          'GET /refused HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      );
      client.on('error', () => {}).end(Buffer.alloc(300_000));
      await until(() => statuses.length === 2);
      expect([inFlight(), statuses]).toEqual([0, [499, 499]]);
      client.destroy();
    },
  );
});

describe('an ordinary request with a field Upgrade', () => {
  it('leaves its connection as it was, so that thousands of them cost no more each', async () => {
    const app = Fastify();
    closing.push(app);
    await app.register(
      mistyped(fastifyLimit),
      mistyped({ limiter: Limiter.create({ queueDepth: { max: 9 } }) }),
    );
    app.get('/', async () => 'fine');
    const sockets: object[] = [];
    app.server.on('connection', (socket) => sockets.push(socket));
    const port = Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port);
    const client = connect(port, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n'.repeat(3));
    let answers = '';
    client.on('data', (octets) => {
      answers += String(octets);
    });
    await until(() => answers.split('fine').length === 4);
    expect(sockets.map((socket) => Object.hasOwn(socket, 'write'))).toEqual([false]);
    client.destroy();
  });
});

describe('an injected upgrade of @fastify/websocket', () => {
  it('is limited as a real one', async () => {
    const app = Fastify();
    closing.push(app);
    const limiter = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 8 } });
    await app.register(fastifyWebsocket);
    await app.register(mistyped(fastifyLimit), mistyped({ limiter }));
    app.get('/', { websocket: true }, () => {});
    await app.ready();
    const socket = await app.injectWS('/');
    expect(limiter.stats().inFlight).toBe(1);
    await expect(app.injectWS('/')).rejects.toThrow('429');
    socket.terminate();
    await until(() => limiter.stats().inFlight === 0);
  });
});

describe('websockets over HTTP/2', () => {
  it('hold their places by limit until their streams are closed', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const statuses: number[] = [];
    const limited = limit({ limiter, count: (_, status) => statuses.push(status) > 0 });
    const server = createHttp2Server({ settings: { enableConnectProtocol: true } }, (_, response) =>
      response.end('fine'),
    );
    server.on('connect', (request: Http2ServerRequest, response: Http2ServerResponse) => {
      limited(mistyped(request), mistyped(response), () => {
        response.writeHead(200);
        response.stream.on('data', (chunk) => response.stream.write(chunk));
        response.stream.on('end', () => response.stream.end());
      });
    });
    const running = await listening(server);
    const client = connectHttp2(running.url);
    await once(client, 'remoteSettings');
    const open = async () => {
      const stream = client.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/' });
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      return { stream, status: headers[':status'], retryAfter: headers['retry-after'] };
    };
    const first = await open();
    first.stream.write('hello');
    expect(String((await once(first.stream, 'data'))[0])).toBe('hello');
    const refused = await open();
    expect([first.status, refused.status, refused.retryAfter]).toEqual([200, 429, '1']);
    expect(limiter.stats().inFlight).toBe(1);
    first.stream.end();
    await until(() => limiter.stats().inFlight === 0);
    expect(statuses).toEqual([200]);
    const reset = await open();
    reset.stream.close();
    await until(() => limiter.stats().inFlight === 0);
    client.destroy();
    await running.close();
  });
});

describe('fetchUpgrade', () => {
  const request = (user = 'ann') => new Request('http://x/', { headers: { 'x-user': user } });

  it('holds a place until its end is reported, once', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 8 } });
    const limited = fetchUpgrade({ limiter, key: { header: 'x-user' }, name: 'sockets' });
    const first = await limited(request());
    const second = await limited(request());
    if (!first.allowed || second.allowed) throw new Error('not as it should be');
    expect(second.response.status).toBe(429);
    expect(second.response.headers.get('ratelimit')).toContain('"sockets";r=0');
    expect((await limited(request('bob'))).allowed).toBe(true);
    first.end();
    expect(limiter.stats().inFlight).toBe(1);
    const third = await limited(request());
    expect(third.allowed).toBe(true);
    first.end();
    expect(limiter.stats().inFlight).toBe(2);
  });

  it('gives back by the status that is reported', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 5 },
      clock: new ManualClock(),
    });
    const limited = fetchUpgrade({ limiter, count: 'failed' });
    for (const status of [undefined, 101, 400, 499]) {
      const decision = await limited(request());
      if (decision.allowed) decision.end(status);
    }
    expect(limiter.peek().remaining).toBe(3);
    const skipped = await fetchUpgrade({ limiter, skip: () => true })(request());
    if (!skipped.allowed) throw new Error('refused');
    skipped.end();
    expect(limiter.peek().remaining).toBe(3);
  });

  it('checks its options by name, and rejects with what a function throws', async () => {
    const error = thrown(() => fetchUpgrade(mistyped({ limit: 5 })));
    expectError(error, 'ERR_SLUICE_OPTION', TypeError);
    expect(error.message).toContain('fetchUpgrade: unknown option "limit"');
    const throwing = fetchUpgrade({
      skip: () => {
        throw new Error('skip');
      },
    });
    await expect(throwing(request())).rejects.toThrow('skip');
  });
});
