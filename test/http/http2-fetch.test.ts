/** Clients of HTTP/2 that reset their streams, before servers that hand over fetch requests. */
import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { Limiter } from 'sluice';
import { type FetchLimitOptions, fetchLimit } from 'sluice/fetch';
import { describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';

const closing = closedAfterEach();

async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}

/**
 * Makes five requests, one after the other, on one connection. Resets each 10 ms after `held` has returned 1, and waits
 * until `held` returns 0. Returns how many requests were handled.
 */
async function resetRequests(options: FetchLimitOptions<Request>, held: () => number): Promise<number> {
  let handled = 0;
  const limited = fetchLimit(async (_request: Request, _env: unknown) => {
    handled++;
    await delay(30);
    return new Response(new ReadableStream({ pull: () => delay(1_000) }));
  }, options);
  const server = createServer(getRequestListener((request, env) => limited(request, env)));
  const running = await listening(server);
  const session = connect(running.url);
  closing.push({
    close: async () => {
      session.destroy();
      server.close();
    },
  });
  for (let i = 0; i < 5; i++) {
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {}).resume();
    await until(() => held() === 1);
    await delay(10);
    stream.close(8);
    await once(stream, 'close');
    await until(() => held() === 0);
  }
  return handled;
}

describe('a stream of HTTP/2 that its client resets', () => {
  it('before its answer gives its place back, though the answer has a body that does not end', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 100 } });
    expect(await resetRequests({ limiter }, () => limiter.stats().inFlight)).toBe(5);
  });

  it('while it waits for its turn waits no more, and is not handled', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-3, burst: 1 } });
    limiter.allow();
    const options = { limiter, delay: { maxMs: 3_600_000 } };
    expect(await resetRequests(options, () => limiter.stats().waiting)).toBe(0);
  });
});
