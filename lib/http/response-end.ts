import type { Socket } from 'node:net';
import type { HttpRequest, HttpResponse } from './messages.js';

type Ended = (status: number) => void;

/** What is called when a response has ended: one listener an event, however many limiters a request has. */
const endings = new WeakMap<HttpResponse, Ended[]>();
/** Responses that have not ended, by their socket: one listener a socket, however many requests are pipelined. */
const open = new WeakMap<Socket, Set<() => void>>();

/** The status that an upgrade has been answered with, past its response; undefined: it has not been answered yet. */
export type Answered = () => number | undefined;

/** Of requests that came as upgrades. */
const upgrades = new WeakMap<HttpRequest, Answered>();

/** Says of a request that it came as an upgrade, which something other than its response may answer. Once. */
export function markUpgrade(request: HttpRequest, answered: Answered): void {
  if (!upgrades.has(request)) upgrades.set(request, answered);
}

/**
 * Calls `ended` once, with the status, when the response is finished, or (with 499) will never be: closed, destroyed, or
 * its connection gone before its turn came in a pipeline (a response in a queue gets no event of its own then). An upgrade
 * ends with its connection, with the status that it was answered with.
 */
export function onResponseEnd(response: HttpResponse, ended: Ended): void {
  const socket = socketOf(response);
  const answered = upgrades.get(response.req);
  const status = (): number => {
    if (response.writableFinished) return response.statusCode;
    return (response.headersSent ? undefined : answered?.()) ?? 499;
  };
  if (response.destroyed || response.writableFinished || socket.destroyed) {
    ended(status());
    return;
  }
  const earlier = endings.get(response);
  if (earlier !== undefined) {
    earlier.push(ended);
    return;
  }
  const all = [ended];
  endings.set(response, all);
  const end = (): void => {
    response.off('finish', end).off('close', end);
    open.get(socket)?.delete(end);
    endings.delete(response);
    for (const one of all) one(status());
  };
  response.once('finish', end).once('close', end);
  onSocketClose(socket, end);
}

/** Calls `ended` once when the connection of an upgrade is gone, with the status: 499 if it has got no answer. */
export function onUpgradeEnd({ socket }: HttpRequest, answered: Answered, ended: Ended): void {
  const end = (): void => ended(answered() ?? 499);
  if (socket.destroyed) end();
  else onSocketClose(socket, end);
}

/** For upgrades whose answer cannot be seen: 101 if anything has been written to the connection from now on. */
export function anythingWritten({ socket }: HttpRequest): Answered {
  const before = (socket as Socket | undefined)?.bytesWritten;
  return () => (before !== undefined && socket.bytesWritten > before ? 101 : undefined);
}

/** The request's; @fastify/websocket's `injectWS` has none there. */
export function socketOf(response: HttpResponse): Socket {
  return (response.req.socket as Socket | undefined) ?? (response.socket as Socket);
}

function onSocketClose(socket: Socket, closed: () => void): void {
  let waiting = open.get(socket);
  if (waiting === undefined) {
    const created = new Set<() => void>();
    waiting = created;
    open.set(socket, created);
    socket.once('close', () => {
      for (const one of [...created]) one();
    });
  }
  waiting.add(closed);
}
