import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Responses that have not ended, by their socket: one listener a socket, however many requests are pipelined. */
const open = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `ended` once, when the response is finished, or will never be: closed, destroyed, or its connection gone
 * before its turn came in a pipeline (a response in a queue gets no event of its own then).
 */
export function onResponseEnd(response: ServerResponse, ended: () => void): void {
  const socket = response.req.socket;
  const end = (): void => {
    response.off('finish', end).off('close', end);
    open.get(socket)?.delete(end);
    ended();
  };
  if (response.destroyed || response.writableFinished || socket.destroyed) {
    ended();
    return;
  }
  response.once('finish', end).once('close', end);
  let waiting = open.get(socket);
  if (waiting === undefined) {
    const created = new Set<() => void>();
    waiting = created;
    open.set(socket, created);
    socket.once('close', () => {
      for (const one of [...created]) one();
    });
  }
  waiting.add(end);
}
