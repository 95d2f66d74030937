/** Servers of websockets behind a limit, and clients of them. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import fastifyWebsocket from '@fastify/websocket';
import { serve } from '@hono/node-server';
import { createNodeWebSocket } from '@hono/node-ws';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import type { UpgradeWebSocket } from 'hono/ws';
import { fastifyLimit } from 'sluice/fastify';
import { honoLimit } from 'sluice/fetch';
import { limit, limitUpgrade, verifyClient } from 'sluice/http';
import { WebSocket, WebSocketServer } from 'ws';
import { listening, type Running, type SharedOptions } from './frameworks.js';

export type SocketOptions = Omit<SharedOptions, 'key' | 'cost' | 'skip'>;
/** A server that echoes messages, and its sockets in the order in which they were opened. */
interface SocketServer extends Running {
  readonly opened: WebSocket[];
}
/** Starts a server. After the limit, the server itself refuses the path '/refused' with 401. */
export type StartSockets = (options: SocketOptions) => Promise<SocketServer>;

type ServeWithSockets = (
  options: Parameters<typeof serve>[0] & { websocket: object },
) => ReturnType<typeof serve>;
/** Version 2 of @hono/node-server supports websockets itself. */
const hono2 = require('hono-node-server2') as {
  serve: ServeWithSockets;
  upgradeWebSocket: UpgradeWebSocket<WebSocket>;
};

const unauthorized = 'HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

function echo(opened: WebSocket[]): (socket: WebSocket) => void {
  return (socket) => {
    opened.push(socket);
    socket.on('error', () => {});
    socket.on('message', (message) => socket.send(String(message)));
  };
}

/** Limits the upgrades of `server`. ws handles those that pass. */
function limitedUpgrades(server: Server, options: SocketOptions): WebSocket[] {
  const opened: WebSocket[] = [];
  const sockets = new WebSocketServer({ noServer: true });
  const limited = limitUpgrade(options);
  server.on('upgrade', (request, socket, head) => {
    limited(request, socket, head, () => {
      if (request.url === '/refused') socket.end(unauthorized);
      else sockets.handleUpgrade(request, socket, head, echo(opened));
    });
  });
  return opened;
}

export const socketServers: Record<string, StartSockets> = {
  'ws without a server': async (options) => {
    const server = createServer((_, response) => response.end('fine'));
    const opened = limitedUpgrades(server, options);
    return { ...(await listening(server)), opened };
  },
  'ws with a server': async (options) => {
    const server = createServer((_, response) => response.end('fine'));
    const verify = verifyClient(options);
    const sockets = new WebSocketServer({
      server,
      verifyClient: (info: { req: IncomingMessage }, verified: (result: boolean, code?: number) => void) =>
        verify(info, (result) => verified(result && info.req.url !== '/refused', 401)),
    });
    const opened: WebSocket[] = [];
    sockets.on('connection', echo(opened));
    return { ...(await listening(server)), opened };
  },
  'Express and ws': async (options) => {
    const app = express();
    const { limiter } = options;
    app.use(limit(limiter === undefined ? {} : { limiter }));
    const server = createServer(app);
    const opened = limitedUpgrades(server, options);
    return { ...(await listening(server)), opened };
  },
  '@fastify/websocket': async (options) => {
    const opened: WebSocket[] = [];
    const app = Fastify({ forceCloseConnections: true });
    app.register(fastifyLimit, options);
    app.register(fastifyWebsocket);
    app.register((scope, _options, done) => {
      scope.get('/', { websocket: true }, echo(opened));
      const preValidation = async (_: unknown, reply: { code(status: number): { send(): unknown } }) =>
        reply.code(401).send();
      scope.get('/refused', { websocket: true, preValidation }, () => {});
      done();
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    return { url, port: Number(new URL(url).port), close: () => app.close(), opened };
  },
  '@hono/node-ws': async (options) => {
    const app = new Hono();
    const { injectWebSocket, upgradeWebSocket } = createNodeWebSocket({ app });
    const opened = limitedHono(app, upgradeWebSocket, options);
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
    injectWebSocket(server);
    await once(server, 'listening');
    return { ...listeningAlready(server), opened };
  },
  '@hono/node-server 2': async (options) => {
    const { opened, server } = await startHono2(options);
    return { ...listeningAlready(server), opened };
  },
};

async function startHono2(options: SocketOptions): Promise<{ opened: WebSocket[]; server: Server }> {
  const app = new Hono();
  const opened = limitedHono(app, hono2.upgradeWebSocket, options);
  const websocket = { server: new WebSocketServer({ noServer: true }) };
  const server = hono2.serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1', websocket }) as Server;
  await once(server, 'listening');
  return { opened, server };
}

/**
 * Starts a server of @hono/node-server 2 that has another listener for upgrades, which answers none. The package then
 * answers only an upgrade that becomes a websocket, and leaves others to that listener.
 */
export const withAnotherListener: StartSockets = async (options) => {
  const { opened, server } = await startHono2(options);
  server.on('upgrade', (_, socket) => socket.on('error', () => {}));
  return { ...listeningAlready(server), opened };
};

function limitedHono(
  app: Hono,
  upgradeWebSocket: UpgradeWebSocket<WebSocket>,
  options: SocketOptions,
): WebSocket[] {
  const opened: WebSocket[] = [];
  app.use(honoLimit(options));
  app.get('/refused', (context) => context.text('', 401));
  app.get('/slow', async (context) => {
    await delay(50);
    return context.text('late');
  });
  app.get(
    '/',
    upgradeWebSocket(() => ({
      onOpen: (_, { raw }) => {
        if (raw !== undefined) opened.push(raw);
      },
      onMessage: (event, socket) => socket.send(String(event.data)),
    })),
  );
  return opened;
}

function listeningAlready(server: Server): Running {
  const { port } = server.address() as { port: number };
  const connections: Duplex[] = [];
  server.on('connection', (socket) => connections.push(socket));
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of connections) socket.destroy(); // upgraded ones, too
    await closed;
  };
  return { url: `http://127.0.0.1:${port}`, port, close };
}

/** A websocket that is open, or the refusal of one. */
export type Tried = { readonly socket: WebSocket } | { readonly refused: IncomingMessage };

export async function trySocket(
  port: number,
  path = '/',
  headers: Record<string, string> = {},
): Promise<Tried> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve({ socket }));
    socket.on('unexpected-response', (_, response) => resolve({ refused: response }));
    socket.on('error', reject);
  });
}
export async function openSocket(port: number): Promise<WebSocket> {
  const tried = await trySocket(port);
  if ('refused' in tried) throw new Error(`refused with ${tried.refused.statusCode}`);
  return tried.socket;
}
/** Returns the status of an upgrade. If the upgrade is admitted, closes its socket. */
export async function statusOf(
  port: number,
  path = '/',
  headers: Record<string, string> = {},
): Promise<number> {
  const tried = await trySocket(port, path, headers);
  if ('socket' in tried) tried.socket.terminate();
  else tried.refused.resume();
  return 'refused' in tried ? (tried.refused.statusCode ?? 0) : 101;
}

/** Returns the text of a request for a websocket. */
export const handshake = (path = '/', more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
