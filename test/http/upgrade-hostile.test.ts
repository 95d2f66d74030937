import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, ManualClock } from 'sluice';
import { type LimitOptions, limit, limitUpgrade, verifyClient } from 'sluice/http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';
import { items } from './items.js';
import { handshake, statusOf, trySocket } from './sockets.js';

const closing = closedAfterEach();
const clients: Socket[] = [];
const warnings: Error[] = [];
const warned = (warning: Error): void => {
  warnings.push(warning);
};
process.on('warning', warned);
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const client of clients.splice(0)) client.destroy();
  expect(warnings.splice(0)).toEqual([]);
});

const fakeTimers = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}
const bucket = (burst: number) =>
  Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst }, clock: new ManualClock() });
function nothing(): Limiter {
  const limiter = bucket(1);
  limiter.allow();
  return limiter;
}

/** The ways to limit a server of ws. */
const ways: Record<string, (server: Server, all: LimitOptions[]) => void> = {
  limitUpgrade: (server, all) => {
    const sockets = new WebSocketServer({ noServer: true });
    const limits = all.map((options) => limitUpgrade(options));
    server.on('upgrade', (request, socket, head) => {
      const from = (at: number): void => {
        const next = limits[at];
        // The error is ignored. Even so, no request may be admitted.
        if (next !== undefined) next(request, socket, head, () => from(at + 1));
        else sockets.handleUpgrade(request, socket, head, (opened) => opened.on('error', () => {}));
      };
      from(0);
    });
  },
  verifyClient: (server, all) => {
    const limits = all.map((options) => verifyClient(options));
    const verify = (info: { req: IncomingMessage }, verified: (result: boolean) => void) => {
      const from = (at: number): void => {
        const next = limits[at];
        if (next === undefined) verified(true);
        else next(info, () => from(at + 1));
      };
      from(0);
    };
    new WebSocketServer({ server, verifyClient: verify }).on('connection', (opened) =>
      opened.on('error', () => {}),
    );
  },
};

describe.each(Object.entries(ways))('%s', (name, limitWith) => {
  const serve = async (...all: LimitOptions[]) => {
    const server = createServer((_, response) => response.end('fine'));
    limitWith(server, all);
    const sockets: Socket[] = [];
    server.on('connection', (socket) => sockets.push(socket));
    const running = await listening(server);
    closing.push(running);
    return { server, port: running.port, url: running.url, sockets };
  };
  const client = async (port: number, allowHalfOpen = false): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen });
    clients.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  /** Returns all that is received until the connection is closed. */
  const answerTo = async (port: number, text: string): Promise<string> => {
    const socket = await client(port);
    let got = '';
    socket.setEncoding('latin1').on('data', (part: string) => {
      got += part;
    });
    socket.write(text);
    await once(socket, 'close');
    return got;
  };

  it('answers a refusal as HTTP/1.1 says, and closes the connection', async () => {
    fakeTimers(); // so the timer that cuts a client off cannot fire
    const { port, sockets } = await serve({ limiter: nothing(), problem: true });
    const [head = '', body = ''] = (await answerTo(port, handshake())).split('\r\n\r\n');
    const [line, ...fields] = head.split('\r\n');
    expect(line).toBe('HTTP/1.1 429 Too Many Requests');
    const headers = new Headers(fields.map((field) => field.split(': ') as [string, string]));
    expect(headers.get('connection')).toBe('close');
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(Number(headers.get('content-length'))).toBe(body.length);
    expect(JSON.parse(body)).toMatchObject({ status: 429, 'violated-policies': ['bucket'] });
    expect(Number.isNaN(Date.parse(headers.get('date') ?? ''))).toBe(false);
    await until(() => sockets[0]?.closed === true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('refuses with the fields of all limiters, and gives back what others hold', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 5 } });
    const { port } = await serve({ limiter, name: 'all' }, { limiter: nothing(), name: 'sockets' });
    const tried = await trySocket(port);
    if ('socket' in tried) throw new Error('admitted');
    const told = items(tried.refused.headers['ratelimit'] as string).map(([item]) => item);
    expect(told).toEqual(['all', 'sockets']);
    tried.refused.resume();
    await until(() => limiter.stats().inFlight === 0);
    expect(limiter.stats().allowed).toBe(1);
  });

  it('lets one limiter decide once, and has one listener for eleven', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const { port } = await serve({ limiter }, { limiter });
    expect(await statusOf(port)).toBe(101);
    const limiters = Array.from({ length: 11 }, () => Limiter.create({ queueDepth: { max: 2 } }));
    const counts: number[] = [];
    for (const all of [limiters.slice(0, 1), limiters]) {
      const { port: other, sockets } = await serve(...all.map((one) => ({ limiter: one })));
      const tried = await trySocket(other);
      counts.push(sockets[0]?.listenerCount('close') ?? 0);
      if ('socket' in tried) tried.socket.terminate();
    }
    expect(counts[0]).toBe(counts[1]);
    await until(() => limiters.every((one) => one.stats().inFlight === 0));
    expect(limiters.map((one) => one.stats().allowed)).toEqual([2, ...limiters.slice(1).map(() => 1)]);
  });

  it('takes the same keys as the middleware of requests', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 1 },
      keys: { max: 100 },
      clock: new ManualClock(),
    });
    const options = { limiter, trustedProxies: ['loopback'], ipv6Prefix: 48 };
    const { port } = await serve(options);
    const limited = limit(options);
    const requests = await listening(
      createServer((request, response) => limited(request, response, () => response.end())),
    );
    closing.push(requests);
    const request = async (from: string) => {
      const response = await fetch(requests.url, { headers: { 'x-forwarded-for': from } });
      await response.arrayBuffer();
      return response.status;
    };
    const upgrade = (from: string) => statusOf(port, '/', { 'x-forwarded-for': from });
    expect([await upgrade('192.0.2.1'), await upgrade('192.0.2.1'), await request('192.0.2.1')]).toEqual([
      101, 429, 429,
    ]);
    expect([await request('192.0.2.2'), await upgrade('::ffff:192.0.2.2')]).toEqual([200, 429]);
    expect([await upgrade('2001:db8:1:2::'), await upgrade('2001:db8:1:3::')]).toEqual([101, 429]);
  });

  it('admits no request if a function among the options throws', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 5 }, keys: { max: 8 } });
    const key = () => {
      throw new Error('no key');
    };
    const { port } = await serve({ limiter, key });
    expect(await statusOf(port)).toBe(500);
    expect(limiter.stats().allowed).toBe(0);
    if (name === 'verifyClient') {
      await until(() => warnings.length > 0);
      expect(warnings.splice(0).map(({ message }) => message)).toEqual(['no key']);
    }
  });

  it('checks its options by name', () => {
    const act = name === 'verifyClient' ? verifyClient : limitUpgrade;
    const error = thrown(() => act(mistyped({ limit: 5 })));
    expectError(error, 'ERR_SLUICE_OPTION', TypeError);
    expect(error.message).toContain(`${name}: unknown option "limit"`);
  });

  it('survives clients that reset the connection before they have their answer, or after', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    limiter.allow();
    const { port, sockets } = await serve({ limiter });
    for (const wait of [0, 0, 1, 2]) {
      const socket = await client(port);
      socket.write(handshake());
      if (wait > 0) await once(socket, 'data');
      if (wait > 1) socket.write('more of it');
      socket.resetAndDestroy();
    }
    await until(() => sockets.length === 4 && sockets.every((socket) => socket.destroyed));
    limiter.release();
    for (const wait of [0, 1]) {
      const socket = await client(port);
      socket.write(handshake());
      if (wait > 0) await once(socket, 'data');
      socket.resetAndDestroy();
    }
    await until(() => sockets.length === 6 && sockets.every((socket) => socket.destroyed));
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('waits for promises, and survives clients that do not', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 2 }, keys: { max: 8 } });
    const asked: Array<(key: string) => void> = [];
    const key = () => new Promise<string>((resolve) => asked.push(resolve));
    const { port, sockets } = await serve({ limiter, key });
    const gone = await client(port);
    gone.write(handshake());
    await until(() => asked.length === 1);
    gone.resetAndDestroy();
    await until(() => sockets[0]?.destroyed === true);
    asked[0]?.('ann');
    const status = statusOf(port);
    await until(() => asked.length === 2);
    expect(limiter.stats().allowed).toBe(0);
    asked[1]?.('ann');
    expect(await status).toBe(101);
    await until(() => limiter.stats().inFlight === 0);
    expect(limiter.stats().allowed).toBe(1);
  });

  it('delays upgrades, by delay, and answers them by refuse', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const refuse: LimitOptions['refuse'] = (info, _request, response) => {
      response.setHeader('X-Tier', info.tier);
      response.end('come back');
    };
    const { port } = await serve({ limiter, delay: { maxMs: 600_000 }, refuse });
    const first = await trySocket(port);
    const second = trySocket(port);
    await until(() => limiter.stats().waiting === 1);
    if ('socket' in first) first.socket.terminate();
    expect('socket' in (await second)).toBe(true);
    limiter.block(undefined, 1_000_000);
    const third = await trySocket(port);
    if ('socket' in third) throw new Error('admitted');
    expect([third.refused.statusCode, third.refused.headers['x-tier']]).toEqual([429, 'blocked']);
    third.refused.resume();
    const other = await second;
    if ('socket' in other) other.socket.terminate();
    await until(() => limiter.stats().inFlight === 0);
  });

  it('cuts off a client that does not hang up, nor read', async () => {
    fakeTimers();
    const set = vi.spyOn(globalThis, 'setTimeout');
    const { port, sockets } = await serve({ limiter: nothing() });
    const socket = await client(port, true);
    socket.pause();
    socket.write(handshake());
    await until(() => sockets[0]?.writableFinished === true);
    const refs = set.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef());
    expect(refs).toEqual([false]); // the timer does not keep a process alive
    vi.advanceTimersByTime(999);
    expect(sockets[0]?.destroyed).toBe(false);
    vi.advanceTimersByTime(1);
    expect(sockets[0]?.destroyed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('answers before it has read what is pipelined behind an upgrade, and reads that', async () => {
    fakeTimers();
    const { port } = await serve({ limiter: nothing() });
    const got = await answerTo(port, handshake() + 'x'.repeat(1_000_000));
    expect(got).toMatch(/^HTTP\/1\.1 429 [\s\S]*\{"error":"rate limited"\}$/);
    const twice = await answerTo(port, handshake().repeat(3));
    expect(twice.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it('hangs up on an upgrade that is pipelined behind a request without an answer', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 5 } });
    const server = createServer(() => {});
    limitWith(server, [{ limiter }]);
    const running = await listening(server);
    closing.push(running);
    expect(await answerTo(running.port, `GET / HTTP/1.1\r\nHost: x\r\n\r\n${handshake()}`)).toBe('');
    expect(limiter.stats()).toMatchObject({ allowed: 0, inFlight: 0 });
  });

  it('keeps count of thousands of upgrades, admitted and refused', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 50 } });
    limiter.allow(undefined, 3);
    const { port, sockets } = await serve({ limiter });
    let admitted = 0;
    for (let round = 0; round < 20; round++) {
      const all = await Promise.all(Array.from({ length: 100 }, () => client(port)));
      const answers = all.map(async (socket) => String((await once(socket, 'data'))[0]).slice(9, 12));
      for (const socket of all) socket.write(handshake());
      const statuses = await Promise.all(answers);
      expect(statuses.filter((status) => status === '101')).toHaveLength(47);
      expect(statuses.filter((status) => status === '429')).toHaveLength(53);
      admitted += 47;
      for (const [i, socket] of all.entries()) {
        if (i % 2 === 0) socket.destroy();
        else socket.resetAndDestroy();
      }
      await until(() => limiter.stats().inFlight === 3);
    }
    expect(limiter.stats().allowed - 1).toBe(admitted);
    await until(() => sockets.every((socket) => socket.destroyed));
    limiter.release(3);
  });
});
