import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** A request of node:http, as Connect, Express, Fastify and Koa use it, or of node:http2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
/** A response to an `HttpRequest`. */
export type HttpResponse = ServerResponse | Http2ServerResponse;

/**
 * A framework's type, or `Else` if the framework's types are not installed: they are `any` then. The condition compares
 * tuples, because a condition on an unresolvable type is itself unresolvable.
 */
export type Installed<Type, Else> = [0] extends [1 & Type] ? Else : Type;
