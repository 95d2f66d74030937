import { Buffer } from 'node:buffer';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Answered, isAnsweringAnother, markUpgrade } from './response-end.js';

/** A function that limits an upgrade before the websocket server gets it. */
export type UpgradeMiddleware<Request extends IncomingMessage = IncomingMessage> = (
  request: Request,
  socket: Duplex,
  head: Uint8Array,
  next: (error?: unknown) => void,
) => void;

type Middleware<Request> = (
  request: Request,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** How long a refused client may take to close the connection, in milliseconds. */
const lingerMs = 1_000;

/** One response for each upgrade, which all limiters share: a refusal has the fields of all. */
const responses = new WeakMap<IncomingMessage, ServerResponse>();

/** Turns a middleware for requests into one for upgrades. */
export function upgradesBy<Request extends IncomingMessage>(
  limited: Middleware<Request>,
): UpgradeMiddleware<Request> {
  return (request, socket, _head, next) => {
    if (socket.destroyed) return;
    let response = responses.get(request);
    if (response === undefined) {
      response = responseTo(request, socket);
      markUpgrade(request, answerOn(socket));
    }
    // Node removes its own listener for 'error' before it emits 'upgrade', so without this one a connection reset would
    // end the process.
    socket.on('error', ignored);
    // An earlier request in the pipeline is not answered yet: an answer to this one would be written before or inside
    // the earlier answer. From Node.js 26 on, `socket` may be a stream over the connection, so both are destroyed.
    if (isAnsweringAnother(request)) {
      socket.destroy();
      request.socket.destroy();
      return;
    }
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
    const answer = response;
    limited(request, answer, (error) => {
      if (error !== undefined) {
        answer.statusCode = 500;
        answer.end();
        next(error);
        return;
      }
      answer.detachSocket(socket as Parameters<ServerResponse['detachSocket']>[0]);
      if (socket.destroyed) return;
      socket.off('error', ignored);
      next();
    });
  };
}

function ignored(): void {}

function responseTo(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  responses.set(request, response);
  response.once('prefinish', () => hangUp(socket));
  return response;
}

/**
 * Returns a function that returns the status in the first chunk written to the socket from now on. The acceptance and
 * the refusal of an upgrade both begin with a chunk that has the status.
 */
function answerOn(socket: Duplex): Answered {
  let status: number | undefined;
  const { write, end } = socket;
  const seen = (chunk: unknown): void => {
    Object.assign(socket, { write, end });
    status = statusIn(chunk) ?? 101;
  };
  const watched =
    <Args extends unknown[]>(method: (...args: Args) => unknown) =>
    (...args: Args): unknown => {
      seen(args[0]);
      return Reflect.apply(method, socket, args);
    };
  Object.assign(socket, { write: watched(write), end: watched(end) });
  return () => status;
}

/** Returns the status in the first chunk of an answer; undefined for another chunk. */
function statusIn(chunk: unknown): number | undefined {
  const text =
    typeof chunk === 'string' ? chunk : Buffer.isBuffer(chunk) ? chunk.toString('latin1', 0, 12) : '';
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  return status === undefined ? undefined : Number(status);
}

/**
 * Ends a connection after everything written has been sent. Until the client also closes the connection, everything
 * that the client sends is discarded: a connection that is closed with unread data is reset, and the client may lose
 * the answer. A client that does not close in time, or does not even read, is cut off.
 */
export function hangUp(socket: Duplex): void {
  socket.resume();
  socket.end();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  timer.unref?.();
  socket.once('close', () => clearTimeout(timer));
}
