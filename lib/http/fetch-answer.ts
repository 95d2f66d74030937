import { IncomingMessage, ServerResponse } from 'node:http';
import { bare, optionError } from '../input/index.js';
import type { HttpResponse } from './messages.js';
import type { Passed } from './policy.js';
import {
  anythingWritten,
  isAnsweringAnother,
  isStreaming,
  onResponseEnd,
  onUpgradeEnd,
} from './response-end.js';

/** The response of node:http or node:http2, if a server built on one of these passes it in `env`. */
export function outgoingOf(env: unknown): HttpResponse | undefined {
  const outgoing = (env as { readonly outgoing?: unknown } | null | undefined)?.outgoing;
  return outgoing instanceof ServerResponse || isStreaming(outgoing) ? outgoing : undefined;
}

/** The upgrade, if @hono/node-ws or @hono/node-server 2 passes one in `env`. */
export function upgradeOf(env: unknown): IncomingMessage | undefined {
  const { incoming, outgoing } = (env ?? {}) as { readonly incoming?: unknown; readonly outgoing?: unknown };
  if (outgoing !== undefined || !(incoming instanceof IncomingMessage)) return undefined;
  return incoming.headers.upgrade === undefined ? undefined : incoming;
}

/** How long an upgrade may stay unanswered after its handler has returned, in milliseconds. Then its request ends. */
const unansweredMs = 5_000;

/**
 * Callbacks for the end of a request's answer, by the objects that identify the request. All limiters of a request
 * share one list, so that the body is wrapped once.
 */
const endings = new WeakMap<object, Array<(status: number) => void>>();

/**
 * Returns the response with the fields of the limit. If `passed.end` is defined, calls it when the response has ended.
 */
export async function finished(
  passed: Passed,
  identities: readonly object[],
  request: Request,
  env: unknown,
  respond: () => Promise<Response>,
): Promise<Response> {
  const { end } = passed;
  if (end === undefined) return withFields(await respond(), passed);
  const outgoing = outgoingOf(env);
  if (outgoing !== undefined) {
    // The end of this response is more reliable than the request's signal, which reports nothing about requests further
    // back in a pipeline.
    onResponseEnd(outgoing, end);
    return withFields(await respond(), passed);
  }
  const upgrade = upgradeOf(env);
  if (upgrade !== undefined) return finishedWithItsSocket(passed, end, upgrade, env as object, respond);
  const around = identities.map((one) => endings.get(one)).find((one) => one !== undefined);
  if (around !== undefined) {
    around.push(end);
    return withFields(await respond(), passed);
  }
  const ends = [end];
  for (const one of identities) endings.set(one, ends);
  const ended = (status: number): void => {
    for (const one of identities) endings.delete(one);
    for (const one of ends.splice(0)) one(status);
  };
  return finishedWithItsBody(passed, ended, request, respond);
}

/**
 * As `finished`, for an upgrade by @hono/node-ws or @hono/node-server 2. These packages start the websocket after the
 * response was returned, and then send no response, or send it without its body. So the request ends when its socket is
 * closed, or when the server has ended its half of the connection. It ends earlier if `respond` fails or the upgrade is
 * not answered in time.
 */
async function finishedWithItsSocket(
  passed: Passed,
  ended: (status: number) => void,
  incoming: IncomingMessage,
  env: object,
  respond: () => Promise<Response>,
): Promise<Response> {
  const written = anythingWritten(incoming);
  const marks = marksOf(env);
  // If the answer to an earlier request is not over yet, written() may see that answer. Then this upgrade counts as
  // answered only if its websocket has begun.
  const isBehind = isAnsweringAnother(incoming);
  const isAnswered = (): boolean => (isBehind ? marksOf(env) > marks : written() !== undefined);
  let refusal: number | undefined;
  const end = onUpgradeEnd(incoming, () => (isAnswered() ? (refusal ?? 101) : undefined), ended);
  try {
    const response = withFields(await respond(), passed);
    if (!response.ok) refusal = response.status;
    // If the server of @hono/node-server 2 has another listener for upgrades, the package answers only an upgrade that
    // becomes a websocket. The timer is that of the global setTimeout, so that tests can replace it.
    setTimeout(() => {
      if (!isAnswered()) end(response.status);
    }, unansweredMs).unref?.();
    return response;
  } catch (error) {
    end(500);
    throw error;
  }
}

/** Counts the symbols among the keys of `env`. `upgradeWebSocket` of both packages adds one for a websocket. */
function marksOf(env: object): number {
  return Object.getOwnPropertySymbols(env).length;
}

async function finishedWithItsBody(
  passed: Passed,
  ended: (status: number) => void,
  { signal, method }: Request,
  respond: () => Promise<Response>,
): Promise<Response> {
  // When the client disconnects, servers abort the request and may neither read the body nor cancel it.
  const gone = (): void => end(499);
  const end = (status: number): void => {
    signal.removeEventListener('abort', gone);
    ended(status);
  };
  signal.addEventListener('abort', gone);
  if (signal.aborted) gone();
  const limited = (response: Response): Response => {
    const { status } = response;
    // Servers do not read the body of an answer to HEAD.
    if (response.body === null || method === 'HEAD') {
      end(status === 0 ? 500 : status);
      return withFields(response, passed);
    }
    const reader = response.body.getReader();
    const source = {
      async pull(controller: ReadableStreamDefaultController<Uint8Array>) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          end(status);
          controller.close();
        } catch (error) {
          end(500);
          controller.error(error);
        }
      },
      cancel(reason: unknown) {
        end(499);
        return reader.cancel(reason);
      },
    };
    // `source` gets no prototype, because a platform would also read inherited members of it.
    return withFields(remade(response, new ReadableStream(bare(source))), passed);
  };
  try {
    return limited(await respond());
  } catch (error) {
    end(500); // also if the handler's result is not a response, or the body was read already
    throw error;
  }
}

/**
 * Returns the response with the fields of the limit, set in place: a copy would have a stream as its body, whose length
 * no server knows. A response without a body is copied, because a handler can return it again and again; so is one
 * whose fields are immutable (from `fetch`).
 */
function withFields(response: Response, passed: Passed): Response {
  const fields = Object.entries(passed.headers((name) => response.headers.get(name) ?? undefined));
  return withEach(response, fields, () => true);
}

export function withEach(
  response: Response,
  fields: ReadonlyArray<readonly [string, string]>,
  isSet: (headers: Headers, name: string) => boolean,
): Response {
  if (response.status === 0) return response; // a network error has no fields
  const set = (one: Response): Response => {
    for (const [name, value] of fields) if (isSet(one.headers, name)) one.headers.set(name, value);
    return one;
  };
  const copied = () => set(remade(response, response.body));
  if (response.body === null) return copied();
  try {
    return set(response);
  } catch {
    return copied();
  }
}

/** Copies the headers: a server's own Response class may keep the given Headers object, which may be immutable. */
function remade({ status, statusText, headers }: Response, body: ReadableStream | null): Response {
  return new Response(body, bare({ status, statusText, headers: new Headers(headers) }));
}

/** Does not use instanceof, because there is more than one Response class. */
export function checkedResponse(what: string, response: unknown): Response {
  if (typeof response === 'object' && response !== null && 'headers' in response) return response as Response;
  throw optionError(what, 'a function that returns a Response', response, true);
}
