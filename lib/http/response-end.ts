import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Ended = (status: number) => void;

/** What is called when a response has ended: one listener an event, however many limiters a request has. */
const endings = new WeakMap<ServerResponse, Ended[]>();
/** Responses that have not ended, by their socket: one listener a socket, however many requests are pipelined. */
const open = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `ended` once, with the status, when the response is finished, or (with 499) will never be: closed, destroyed, or
 * its connection gone before its turn came in a pipeline (a response in a queue gets no event of its own then).
 */
export function onResponseEnd(response: ServerResponse, ended: Ended): void {
  const { socket } = response.req;
  if (response.destroyed || response.writableFinished || socket.destroyed) {
    ended(statusOf(response));
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
    for (const one of all) one(statusOf(response));
  };
  response.once('finish', end).once('close', end);
  onSocketClose(socket, end);
}

function statusOf(response: ServerResponse): number {
  return response.writableFinished ? response.statusCode : 499;
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
