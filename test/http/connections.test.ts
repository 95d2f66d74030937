import { once } from 'node:events';
import { createServer } from 'node:http';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2ServerRequest,
} from 'node:http2';
import { connect } from 'node:net';
import { Limiter } from 'sluice';
import { limit } from 'sluice/http';
import { describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';
import { depth, serving, until } from './serving.js';

const closing = closedAfterEach();
const serve = serving(closing);
/** Sends `text` on a raw connection. Returns all that is received until `done` holds or the connection ends. */
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
        limited(request, response, () => {
          // The answer comes after the client's end, however slow the machine is.
          request.socket.once('end', () => setTimeout(() => response.end('late'), 20));
        }),
      );
      // By default, Node.js closes the connection of a client that has ended its side.
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
    expect((await fetch(url)).status).toBe(500); // the middleware passes an error on; it does not refuse with 429
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
