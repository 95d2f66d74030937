import { Hono } from 'hono';
import { Limiter, ManualClock } from 'sluice';
import { fetchLimit, honoLimit } from 'sluice/fetch';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected, thrown } from '../thrown.js';

/**
 * Makes a handler behind a limit of depth and window. The tests call it as a server other than that of Node.js would.
 */
function limited(answer: () => Response | Promise<Response>) {
  const limiter = Limiter.create({
    queueDepth: { max: 5 },
    slidingWindow: { limit: 10, windowMs: 1_000 },
    clock: new ManualClock(),
  });
  return { limiter, handler: fetchLimit(answer, { limiter, count: 'failed' }) };
}
const get = (init?: RequestInit) => new Request('http://x/', init);
function chunks(count: number): ReadableStream<Uint8Array> {
  let left = count;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(new Uint8Array(100));
      else controller.close();
    },
  });
}

describe.each([
  ['fetchLimit', (options: object) => fetchLimit(() => new Response(), options)],
  ['honoLimit', (options: object) => honoLimit(options)],
])('the options of %s', (where, act) => {
  it.each(['trustedProxies', 'ipv6Prefix'])('do not include %s, which needs a socket', (name) => {
    const error = thrown(() => act({ [name]: 64 }));
    expectError(error, 'ERR_SLUICE_OPTION', TypeError);
    expect(error.message).toContain(`${where}: unknown option "${name}"`);
  });

  it.each(['', ' ', 'x y', 'x\n', 'ü', 'a:b'])(
    'refuse the name of a header that no request can have: %j',
    (header) => {
      const limiter = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 4 } });
      expectError(
        thrown(() => act({ limiter, key: { header } })),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    },
  );
});

describe('a response that holds nothing', () => {
  const limiter = () =>
    Limiter.create({ slidingWindow: { limit: 10, windowMs: 1_000, exact: true }, clock: new ManualClock() });

  it('is the handler’s own, with the fields set in place', async () => {
    const response = new Response(chunks(3), { headers: { 'Content-Length': '300' } });
    const { body } = response;
    const handler = fetchLimit(() => response, { limiter: limiter() });
    expect(await handler(get())).toBe(response);
    expect(response.body).toBe(body);
    expect(response.headers.get('ratelimit')).toBe('"window";r=9;t=1');
    expect(response.headers.get('content-length')).toBe('300');
  });

  it('is the handler’s own in Hono, too, and none of its fields is lost', async () => {
    const app = new Hono();
    app.use(honoLimit({ limiter: limiter() }));
    let own: Response | undefined;
    app.get('/', () => {
      own = new Response('fine', { headers: { 'Set-Cookie': 'a=b', 'Content-Length': '4' } });
      return own;
    });
    const response = await app.request('/');
    expect(response).toBe(own);
    expect([...response.headers.keys()].sort()).toEqual([
      'content-length',
      'content-type',
      'ratelimit',
      'ratelimit-policy',
      'set-cookie',
    ]);
  });

  it('is copied if its fields cannot be set', async () => {
    const immutable = await fetch('data:text/plain,fine');
    const handler = fetchLimit(() => immutable, { limiter: limiter() });
    const response = await handler(get());
    expect(response.headers.get('ratelimit')).toBe('"window";r=9;t=1');
    expect([response.headers.get('content-type'), await response.text()]).toEqual(['text/plain', 'fine']);
  });

  it('is copied if it can be returned again', async () => {
    const none = new Response(null, { status: 404 });
    const handler = fetchLimit(() => none, { limiter: limiter() });
    await handler(get());
    const response = await handler(get());
    expect([response.status, response.headers.get('ratelimit')]).toEqual([404, '"window";r=8;t=1']);
    expect([...none.headers]).toEqual([]);
  });

  it('is wrapped if its status decides what stays charged', async () => {
    const window = limiter();
    const handler = fetchLimit(() => new Response(chunks(3)), { limiter: window, count: 'failed' });
    const response = await handler(get());
    expect(window.peek().remaining).toBe(9);
    await response.arrayBuffer();
    expect(window.peek().remaining).toBe(10);
  });
});

describe('fetchLimit, where no response of node:http is at hand,', () => {
  it('holds the depth until the body has been read to its end', async () => {
    const { limiter, handler } = limited(() => new Response(chunks(3)));
    const response = await handler(get());
    expect(response.headers.get('ratelimit')).toContain('r=4');
    expect(limiter.stats().inFlight).toBe(1);
    expect((await response.arrayBuffer()).byteLength).toBe(300);
    expect(limiter.stats().inFlight).toBe(0);
    expect(limiter.peek().remaining).toBe(5);
  });

  it('gives the depth back when the body is cancelled, and cancels the handler’s', async () => {
    let cancelled: unknown;
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(10)),
      cancel: (reason) => {
        cancelled = reason;
      },
    });
    const { limiter, handler } = limited(() => new Response(body));
    const response = await handler(get());
    await response.body?.cancel('enough');
    expect(cancelled).toBe('enough');
    expect(limiter.stats().inFlight).toBe(0);
  });

  it.each([
    ['nothing', () => undefined],
    [
      'a response whose body is being read',
      () => {
        const response = new Response(chunks(3));
        response.body?.getReader();
        return response;
      },
    ],
  ])('gives the depth back when the handler answers with %s', async (_, answer) => {
    const { limiter, handler } = limited(answer as () => Response);
    expect(await rejected(handler(get()))).toBeInstanceOf(TypeError);
    expect(limiter.stats().inFlight).toBe(0);
  });

  it.each([undefined, null, 5, {}])('refuses %s as the answer of a handler', async (answer) => {
    const { limiter, handler } = limited(mistyped(() => answer));
    const error = await rejected(handler(get()));
    expectError(error as Error, 'ERR_SLUICE_OPTION', TypeError);
    expect((error as Error).message).toContain('fetchLimit: handler');
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('passes on a network error, which has no place for fields', async () => {
    const { limiter, handler } = limited(() => Response.error());
    expect(await handler(get())).toMatchObject({ type: 'error', status: 0 });
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('gives the depth back when the body fails', async () => {
    const body = new ReadableStream({
      pull() {
        throw new Error('body');
      },
    });
    const { limiter, handler } = limited(() => new Response(body));
    const response = await handler(get());
    expect(await rejected(response.text())).toMatchObject({ message: 'body' });
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('gives the depth back when the handler throws, and throws the same', async () => {
    const { limiter, handler } = limited(() => {
      throw new Error('handler');
    });
    expect(await rejected(handler(get()))).toMatchObject({ message: 'handler' });
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('gives the depth back when there is no body, or the body will not be read', async () => {
    const { limiter, handler } = limited(() => new Response(null, { status: 204 }));
    expect((await handler(get())).status).toBe(204);
    expect(limiter.stats().inFlight).toBe(0);
    const { limiter: other, handler: head } = limited(() => new Response(chunks(1_000)));
    expect((await head(get({ method: 'HEAD' }))).status).toBe(200);
    expect(other.stats().inFlight).toBe(0);
  });

  it('gives the depth back once when the request is aborted, before or while it is handled', async () => {
    const controller = new AbortController();
    const { limiter, handler } = limited(() => new Response(chunks(1_000)));
    limiter.allow(undefined, 2);
    await handler(get({ signal: controller.signal }));
    expect(limiter.stats().inFlight).toBe(3);
    controller.abort();
    expect(limiter.stats().inFlight).toBe(2);
    await handler(get({ signal: controller.signal }));
    expect(limiter.stats().inFlight).toBe(2);
  });
});
