import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, Queue, record, u32 } from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { limit } from 'sluice/http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closedAfterEach } from './closing.js';
import { frameworks, listening, type SharedOptions } from './frameworks.js';

const closing = closedAfterEach();
const warnings: Error[] = [];
const warned = (warning: Error): void => {
  warnings.push(warning);
};
beforeEach(() => {
  process.on('warning', warned);
});
afterEach(() => {
  process.off('warning', warned);
  expect(warnings.splice(0)).toEqual([]);
});

const depth = () => Limiter.create({ queueDepth: { max: 5 } });
const window = () => Limiter.create({ slidingWindow: { limit: 1_000, windowMs: 1_000 } });
const many = <T>(make: () => T): T[] => Array.from({ length: 11 }, make);
async function allGivenBack(limiters: readonly Limiter[]): Promise<void> {
  while (limiters.some((limiter) => limiter.stats().inFlight > 0)) await delay(1);
}

describe.each(Object.entries(frameworks))('listeners on a response: %s', (_name, start) => {
  /** Returns how many listeners the response and its socket have while a limited request is handled. */
  const listeners = async (first: SharedOptions, ...further: SharedOptions[]) => {
    let counts: number[] = [];
    const responses: ServerResponse[] = [];
    const started = (message: unknown): void => {
      responses.push((message as { response: ServerResponse }).response);
    };
    const answer = async () => {
      const [response] = responses as [ServerResponse];
      counts = ['finish', 'close', 'error'].map((name) => response.listenerCount(name));
      counts.push(response.req.socket.listenerCount('close'));
      return { status: 200, body: 'fine' };
    };
    const running = await start(first, answer, ...further);
    closing.push(running);
    subscribe('http.server.request.start', started);
    try {
      expect(await (await fetch(running.url)).text()).toBe('fine');
    } finally {
      unsubscribe('http.server.request.start', started);
    }
    return counts;
  };
  const none = () => listeners({ limiter: window(), skip: () => true });

  it('are not added by the limiter where the end gives nothing back', async () => {
    const queue = Queue.create(record({ number: u32 }), { capacity: 10 });
    const following = Limiter.create({ queueDepth: { max: 10, queue } });
    expect(await listeners({ limiter: window() }, { limiter: following })).toEqual(await none());
  });

  it('are as many for eleven limiters as for one', async () => {
    const [finish = 0, close = 0, error, socket = 0] = await none();
    const one = [finish + 1, close + 1, error, socket + 1];
    const limiters = many(depth);
    const [first, ...further] = limiters.map((limiter) => ({ limiter })) as [SharedOptions];
    expect(await listeners(first, ...further)).toEqual(one);
    await allGivenBack(limiters);
    expect(limiters.map((limiter) => limiter.stats().allowed)).toEqual(many(() => 1));
    const counting = many(() => ({ limiter: window(), count: 'failed' as const }));
    expect(await listeners(...(counting as [SharedOptions]))).toEqual(one);
    for (const { limiter } of counting) {
      while (limiter.peek().remaining < 1_000) await delay(1);
    }
  });
});

describe('eleven limiters', () => {
  it('work with stream.pipeline', async () => {
    const limiters = many(depth);
    const middlewares = limiters.map((limiter) => limit({ limiter }));
    const running = await listening(
      createServer((request, response) => {
        const from = (at: number): void => {
          const next = middlewares[at];
          if (next !== undefined) next(request, response, () => from(at + 1));
          else void pipeline(Readable.from(['streamed ', 'and ended']), response);
        };
        from(0);
      }),
    );
    closing.push(running);
    expect(await (await fetch(running.url)).text()).toBe('streamed and ended');
    await allGivenBack(limiters);
  });

  it('wrap the body of a fetch handler once, and listen once for an abort', async () => {
    const limiters = many(depth);
    const own = new Response('fine');
    let handler: (request: Request) => Promise<Response> = async () => own;
    const responses: Response[] = [];
    const abortListeners: number[] = [];
    for (const limiter of limiters) {
      const within = fetchLimit(handler, { limiter });
      handler = async (request) => {
        const response = await within(request);
        responses.push(response);
        abortListeners.push(getEventListeners(request.signal, 'abort').length);
        return response;
      };
    }
    const response = await handler(new Request('http://x/'));
    expect(responses.slice(0, -1).every((one) => one === own)).toBe(true);
    expect(response).not.toBe(own);
    expect(new Set(abortListeners)).toEqual(new Set([1]));
    expect(limiters.map((limiter) => limiter.stats().inFlight)).toEqual(many(() => 1));
    expect(await response.text()).toBe('fine');
    await allGivenBack(limiters);
  });

  it('give back once each when a fetch handler throws, or its request is aborted', async () => {
    const limiters = many(depth);
    for (const limiter of limiters) limiter.allow(undefined, 2);
    let handler = async (_request: Request): Promise<Response> => {
      throw new Error('handler');
    };
    for (const limiter of limiters) handler = fetchLimit(handler, { limiter });
    await expect(handler(new Request('http://x/'))).rejects.toThrow('handler');
    const inFlight = () => limiters.map((limiter) => limiter.stats().inFlight);
    expect(inFlight()).toEqual(many(() => 2));
    const controller = new AbortController();
    handler = async () => new Response('never read');
    for (const limiter of limiters) handler = fetchLimit(handler, { limiter });
    await handler(new Request('http://x/', { signal: controller.signal }));
    expect(inFlight()).toEqual(many(() => 3));
    controller.abort();
    expect(inFlight()).toEqual(many(() => 2));
  });
});

describe('a depth that follows a queue', () => {
  it('leaves a fetch handler’s body as it is', async () => {
    const queue = Queue.create(record({ number: u32 }), { capacity: 10 });
    const limiter = Limiter.create({ queueDepth: { max: 10, queue } });
    const own = new Response('fine');
    const { body } = own;
    const response = await fetchLimit(() => own, { limiter })(new Request('http://x/'));
    expect([response, response.body]).toEqual([own, body]);
    expect(response.body).toBe(body);
  });
});
