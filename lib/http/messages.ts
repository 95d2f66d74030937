import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

/** A request of node:http, which those of Connect, Express, Fastify and Koa are, or of node:http2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
/** A response to an `HttpRequest`. */
export type HttpResponse = ServerResponse | Http2ServerResponse;

/**
 * A type of a framework, or `Else` if the framework's types are not installed: they are `any` then. In tuples, because a
 * condition that is about a type which cannot be resolved is itself one.
 */
export type Installed<Type, Else> = [0] extends [1 & Type] ? Else : Type;
