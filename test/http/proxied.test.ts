/** Responses of `fetch`, handed on by handlers behind a server of node:http. */
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { Limiter } from 'sluice';
import { fetchLimit, honoLimit } from 'sluice/fetch';
import { expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';

const closing = closedAfterEach();

const limiter = () => Limiter.create({ slidingWindow: { limit: 5, windowMs: 60_000 } });
const handlers = {
  Hono: (url: string) => {
    const app = new Hono();
    app.use(honoLimit({ limiter: limiter() }));
    app.get('/', () => fetch(url));
    return app.fetch;
  },
  'a fetch handler': (url: string) => fetchLimit(() => fetch(url), { limiter: limiter() }),
};

// The headers of a response of `fetch` are immutable, so sluice sets its fields in a copy of the response. The headers
// must be copied, too: the Response class of @hono/node-server would use the immutable object that it is given.
it.each(Object.entries(handlers))(
  '%s answers with the fields of the limit and all others',
  async (_name, handler) => {
    const upstream = await listening(
      createServer((_request, response) => {
        response.setHeader('Set-Cookie', ['a=1', 'b=2']).writeHead(203, 'Kept').end('upstream');
      }),
    );
    closing.push(upstream);
    const server = await listening(createServer(getRequestListener(handler(upstream.url))));
    closing.push(server);
    const response = await fetch(server.url);
    expect([response.status, await response.text()]).toEqual([203, 'upstream']);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(response.headers.get('RateLimit')).toBe('"window";r=4;t=63');
  },
);
