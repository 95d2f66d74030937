import { AsyncResource } from 'node:async_hooks';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { clearInterval, setInterval } from 'node:timers';
import type { HttpRequest, HttpResponse } from './messages.js';

type Ended = (status: number) => void;

/** Callbacks for the end of a response: one listener for each event, however many limiters a request has. */
const endings = new WeakMap<HttpResponse, Ended[]>();
/**
 * Callbacks of responses that have not ended, by socket: one listener for each socket, however many requests are
 * pipelined.
 */
const open = new WeakMap<Socket, Set<() => void>>();

/**
 * The HTTP/2 responses that have not ended, each with the function to call then. Node.js 20 and 22 lose every event of
 * some streams that a client resets and whose connection it closes, so this set is looked through every second.
 */
const streaming = new Map<Http2ServerResponse, () => void>();
const lookMs = 1_000;
/** States of a stream, as in `constants` of node:http2. nghttp2 names a stream that it has forgotten idle. */
const streamStates = { idle: 1, halfClosedLocal: 5, closed: 7 };
let looking: NodeJS.Timeout | undefined;
/** Outside of all requests: the timer must not run in the AsyncLocalStorage context of the request that began it. */
const outside = new AsyncResource('sluice');

/**
 * Returns the status with which an upgrade was answered other than through its response; undefined if it is not
 * answered yet.
 */
export type Answered = () => number | undefined;

/** The requests that came as upgrades. */
const upgrades = new WeakMap<HttpRequest, Answered>();

/** Marks a request as an upgrade, which may be answered without its response. Only the first call counts. */
export function markUpgrade(request: HttpRequest, answered: Answered): void {
  if (!upgrades.has(request)) upgrades.set(request, answered);
}

/**
 * Calls `ended` once: with the status when the response is finished, or with 499 when it never will be. It never will
 * be if it was closed or destroyed, if its connection closed before its turn in a pipeline (a queued response emits no
 * event then), or if the server has ended its half of the connection (by its answer to an upgrade further back in the
 * pipeline). For an upgrade, calls `ended` with the status of the answer (499: there was none) when the connection has
 * closed, or the server has ended its half of it.
 */
export function onResponseEnd(response: HttpResponse, ended: Ended): void {
  const socket = socketOf(response);
  const answered = upgrades.get(response.req);
  const status = (): number => {
    if (isFinished(response)) return response.statusCode;
    return (response.headersSent ? undefined : answered?.()) ?? 499;
  };
  if (response.destroyed || isFinished(response) || isEnded(socket)) {
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
    forgetStream(response);
    endings.delete(response);
    for (const one of all) one(status());
  };
  response.once('finish', end).once('close', end);
  onSocketEnd(socket, end);
  if (isStreaming(response)) lookAtStream(response, end);
}

/**
 * Calls `ended` once with the status when the connection of an upgrade closes, or the server has ended its half of it:
 * a client can leave its own half open for as long as it likes. The status is 499 if the upgrade was not answered. If
 * `ended` was not called yet, the returned function calls it at once, with the status that it is given.
 */
export function onUpgradeEnd({ socket }: HttpRequest, answered: Answered, ended: Ended): Ended {
  let waits = true;
  const endWith = (status: number): void => {
    if (!waits) return;
    waits = false;
    open.get(socket)?.delete(end);
    ended(status);
  };
  const end = (): void => endWith(answered() ?? 499);
  if (isEnded(socket)) end();
  else onSocketEnd(socket, end);
  return endWith;
}

/**
 * For upgrades whose answer cannot be seen. The returned function returns 101 once anything was written to the
 * connection after this call.
 */
export function anythingWritten({ socket }: HttpRequest): Answered {
  const before = (socket as Socket | undefined)?.bytesWritten;
  return () => (before !== undefined && socket.bytesWritten > before ? 101 : undefined);
}

/**
 * Whether the response was sent to its end. For node:http2 `writableFinished` alone does not say that: Node.js itself
 * ends the stream of a request with the method HEAD before it is handled, and a stream that its client resets.
 */
function isFinished(response: HttpResponse): boolean {
  if (!response.writableFinished) return false;
  return !isStreaming(response) || (response.headersSent && !response.stream.aborted);
}

/** Whether the connection is assigned to the response to another request. That response may not have begun yet. */
export function isAnsweringAnother(request: HttpRequest): boolean {
  const { _httpMessage: response } = request.socket as {
    readonly _httpMessage?: { readonly req?: object } | null; // Node's own name for it
  };
  return response !== undefined && response !== null && response.req !== request;
}

/**
 * Returns the request's socket, or the response's, because `injectWS` of @fastify/websocket sets none on the request.
 */
export function socketOf(response: HttpResponse): Socket {
  return (response.req.socket as Socket | undefined) ?? (response.socket as Socket);
}

/** Whether the stream of an HTTP/2 response is closed. The response itself may not be, for a while or for good. */
export function isStreamClosed(response: HttpResponse): boolean {
  return isStreaming(response) && response.stream.closed;
}

/** Whether this is a response of node:http2. Not by its class, which only node:http2 has: few programs load that. */
export function isStreaming(response: unknown): response is Http2ServerResponse {
  const { stream } = (response ?? {}) as { readonly stream?: object | null };
  // Other streams have no `rstCode`.
  return typeof stream === 'object' && stream !== null && 'closed' in stream && 'rstCode' in stream;
}

/**
 * Whether nothing more is sent on the stream. It may be closed while its answer is still being sent; then nghttp2, the
 * library below Node.js, knows it as open.
 */
function isOver({ stream }: Http2ServerResponse): boolean {
  const { state } = stream.state;
  // The answer was sent to its end. Node.js emits no event for that while the client does not end its request.
  if (state === streamStates.halfClosedLocal) return true;
  return (
    stream.closed && (state === undefined || state === streamStates.idle || state === streamStates.closed)
  );
}

function lookAtStream(response: Http2ServerResponse, end: () => void): void {
  streaming.set(response, end);
  looking ??= outside.runInAsyncScope(() => setInterval(lookAtStreams, lookMs).unref());
}

function lookAtStreams(): void {
  for (const [response, end] of streaming) if (isOver(response)) end();
}

function forgetStream(response: HttpResponse): void {
  if (!streaming.delete(response as Http2ServerResponse) || streaming.size > 0) return;
  clearInterval(looking);
  looking = undefined;
}

/**
 * Whether nothing more can be sent on the connection. The "socket" of an HTTP/2 response is its stream, whose writable
 * side finishes before everything was sent.
 */
function isEnded(socket: Socket): boolean {
  return socket.destroyed || (socket.writableFinished && !isStream(socket));
}

/**
 * Calls `ended` when the connection closes, or the server has ended its half of it. After an upgrade the connection may
 * have no reader: then the client's end is not noticed, and the connection does not close.
 */
function onSocketEnd(socket: Socket, ended: () => void): void {
  let waiting = open.get(socket);
  if (waiting === undefined) {
    const created = new Set<() => void>();
    waiting = created;
    open.set(socket, created);
    const end = (): void => {
      for (const one of [...created]) one();
    };
    socket.once('close', end);
    if (!isStream(socket)) socket.once('finish', end);
  }
  waiting.add(ended);
}

function isStream(socket: Socket): boolean {
  return 'rstCode' in socket;
}
