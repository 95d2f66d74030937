import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, ManualClock } from 'sluice';
import { limitUpgrade, verifyClient } from 'sluice/http';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';
import { handshake, statusOf, trySocket } from './sockets.js';

const closing = closedAfterEach();
const clients: Socket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}
const bucket = (burst: number) =>
  Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst }, clock: new ManualClock() });

describe('limitUpgrade', () => {
  it('limits tunnels, too: the event "connect" has the same arguments', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const limited = limitUpgrade({ limiter });
    const server = createServer();
    server.on('connect', (incoming, socket, head) => {
      limited(incoming, socket, head, () => {
        socket.on('error', () => {}).write('HTTP/1.1 200 Connection Established\r\n\r\n');
        socket.pipe(socket);
      });
    });
    const running = await listening(server);
    closing.push(running);
    const tunnel = async () => {
      const asked = request({ port: running.port, host: '127.0.0.1', method: 'CONNECT', path: 'x:80' }).end();
      const [response, socket] = (await once(asked, 'connect')) as [IncomingMessage, Socket];
      clients.push(socket);
      return { status: response.statusCode, socket };
    };
    const first = await tunnel();
    expect([first.status, (await tunnel()).status]).toEqual([200, 429]);
    first.socket.write('hello');
    expect(String((await once(first.socket, 'data'))[0])).toBe('hello');
    expect(limiter.stats().inFlight).toBe(1);
    first.socket.destroy();
    await until(() => limiter.stats().inFlight === 0);
  });

  it('does not ask the limiter about a connection that is gone', async () => {
    const limiter = bucket(1);
    const limited = limitUpgrade({ limiter });
    const server = createServer();
    const closed: Duplex[] = [];
    let passed = 0;
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {}).destroy();
      limited(request, socket, head, () => {
        passed++;
      });
      closed.push(socket);
    });
    const running = await listening(server);
    closing.push(running);
    const socket = connect(running.port, '127.0.0.1');
    clients.push(socket);
    socket.on('error', () => {}).write(handshake());
    await until(() => closed.length === 1);
    expect([passed, limiter.peek().remaining]).toEqual([0, 1]);
  });

  it('leaves the listeners of a socket that passes as they were, and says what was thrown', async () => {
    const limited = limitUpgrade({
      limiter: bucket(5),
      skip: (request) => {
        if (request.url === '/throw') throw new Error('skip');
        return false;
      },
    });
    const server = createServer();
    const seen: unknown[] = [];
    server.on('upgrade', (request, socket, head) => {
      const before = ['error', 'close', 'end'].map((event) => socket.listenerCount(event));
      limited(request, socket, head, (error) => {
        const after = ['error', 'close', 'end'].map((event) => socket.listenerCount(event));
        seen.push(error ?? after.map((count, i) => count - (before[i] as number)));
        if (error === undefined) socket.destroy();
      });
    });
    const running = await listening(server);
    closing.push(running);
    for (const path of ['/', '/throw']) {
      const socket = connect(running.port, '127.0.0.1');
      socket
        .on('error', () => {})
        .resume()
        .write(handshake(path));
      await once(socket, 'close');
    }
    expect(seen).toEqual([[0, 0, 0], new Error('skip')]);
  });
});

describe('verifyClient', () => {
  it('is what ws takes', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } });
    const sockets = new WebSocketServer({ port: 0, verifyClient: verifyClient({ limiter }) });
    await once(sockets, 'listening');
    const { port } = sockets.address() as { port: number };
    const first = await trySocket(port);
    expect(await statusOf(port)).toBe(429);
    if ('socket' in first) first.socket.terminate();
    await until(() => limiter.stats().inFlight === 0);
    const closed = once(sockets, 'close');
    sockets.close();
    await closed;
  });
});
