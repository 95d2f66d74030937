/**
 * If a request fails after its charge and before its handler, the charge and its place in flight are given back. If a
 * field of the response cannot be set, the place is given back when the response is closed, and the charge stays.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Limiter } from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { limit } from 'sluice/http';
import { koaLimit } from 'sluice/koa';
import { describe, expect, it } from 'vitest';

const made = () =>
  Limiter.create({
    tokenBucket: { ratePerSecond: 1e-6, burst: 5 },
    queueDepth: { max: 5 },
  });
const untouched = (limiter: Limiter) => {
  expect(limiter.stats().inFlight).toBe(0);
  expect(limiter.peek().remaining).toBe(5);
};
const exchange = () => {
  const request = new IncomingMessage(new Socket());
  return { request, response: new ServerResponse(request) };
};

describe('a failed decision gives back', () => {
  it('its charge, where the request takes no rateLimit', () => {
    const limiter = made();
    const { request, response } = exchange();
    Object.defineProperty(request, 'rateLimit', { value: 'of another middleware' });
    const errors: unknown[] = [];
    limit({ limiter })(request, response, (error) => errors.push(error));
    expect(errors).toEqual([expect.any(TypeError)]);
    untouched(limiter);
  });

  it('its charge, where the state of a Koa context is frozen', async () => {
    const limiter = made();
    const { request, response } = exchange();
    const context = {
      req: request,
      res: response,
      state: Object.freeze({}),
      status: 200,
      body: undefined,
      set: () => {},
    };
    await expect(koaLimit<typeof context>({ limiter })(context, async () => {})).rejects.toThrow(TypeError);
    untouched(limiter);
  });

  it('its charge to all plans, where one of them was disposed of', async () => {
    const [chosen, other, disposed] = [made(), made(), made()];
    disposed[Symbol.dispose]();
    const options = { limiter: () => chosen, plans: [chosen, other, disposed] };
    const limited = fetchLimit(() => new Response('fine'), options);
    await expect(limited(new Request('http://x/'))).rejects.toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
    untouched(chosen);
    untouched(other);
  });
});

describe('a failed decision gives back its place in flight', () => {
  it('when the response is closed, where a field cannot be set', () => {
    const limiter = made();
    const { request, response } = exchange();
    response.setHeader = () => {
      throw new Error('no more fields');
    };
    expect(() => limit({ limiter })(request, response, () => {})).toThrow('no more fields');
    response.destroy();
    response.emit('close');
    expect(limiter.stats().inFlight).toBe(0);
  });
});
