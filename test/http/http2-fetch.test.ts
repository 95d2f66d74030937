/** Clients of HTTP/2 that reset their streams, before servers that hand over fetch requests. */
import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { Limiter } from 'sluice';
import { type FetchLimitOptions, fetchLimit } from 'sluice/fetch';
import { describe, expect, it, vi } from 'vitest';
import { closedAfterEach } from './closing.js';
import { listening } from './frameworks.js';

const closing = closedAfterEach();

/** Begins `count` requests, resets each after a moment, and keeps the connection. */
async function resetRequests(
  options: FetchLimitOptions<Request>,
  count: number,
): Promise<{ handled: number }> {
  const seen = { handled: 0 };
  const limited = fetchLimit(async (_request: Request, _env: unknown) => {
    seen.handled++;
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
  for (let i = 0; i < count; i++) {
    const stream = session.request({ ':path': '/' });
    stream.on('error', () => {}).resume();
    await delay(10);
    stream.close(8);
    await once(stream, 'close');
  }
  return seen;
}

describe('a stream of HTTP/2 that its client resets', () => {
  it('before its answer gives its place back, though the answer has a body that does not end', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 100 } });
    const { handled } = await resetRequests({ limiter }, 5);
    expect(handled).toBe(5);
    await vi.waitFor(() => expect(limiter.stats().inFlight).toBe(0), { timeout: 5_000 });
  });

  it('while it waits for its turn waits no more, and is not handled', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-3, burst: 1 } });
    limiter.allow();
    const { handled } = await resetRequests({ limiter, delay: { maxMs: 3_600_000 } }, 5);
    await vi.waitFor(() => expect(limiter.stats().waiting).toBe(0), { timeout: 5_000 });
    expect(handled).toBe(0);
  });
});
