import { createHash } from 'node:crypto';
import { Limiter, ManualClock } from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { limit } from 'sluice/http';
import { parseList } from 'structured-headers';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { closedAfterEach } from './closing.js';
import { serving, until } from './serving.js';

const closing = closedAfterEach();
const serve = serving(closing);

describe('the key by address', () => {
  const keyed = () =>
    Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 1 },
      keys: { max: 100 },
      clock: new ManualClock(),
    });
  const asks = (url: string) => async (forwarded: string) => {
    const response = await fetch(url, { headers: { 'x-forwarded-for': forwarded } });
    await response.arrayBuffer();
    return response.status;
  };

  it('does not believe X-Forwarded-For unless told to', async () => {
    const ask = asks((await serve({ limiter: keyed() })).url);
    expect([await ask('10.0.0.1'), await ask('10.0.0.2')]).toEqual([200, 429]);
  });

  it('believes what the outermost trusted proxy wrote, and nothing before it', async () => {
    const ask = asks((await serve({ limiter: keyed(), trustedProxies: 2 })).url);
    expect(await ask('1.1.1.1, 10.0.0.1, 10.9.9.9')).toBe(200);
    expect(await ask('2.2.2.2, 10.0.0.1, 10.9.9.9')).toBe(429);
    expect(await ask('1.1.1.1, 10.0.0.2, 10.9.9.9')).toBe(200);
  });

  it('does not take the ports that some proxies write for a part of the address', async () => {
    const ask = asks((await serve({ limiter: keyed(), trustedProxies: 1 })).url);
    expect([await ask('9.8.7.6:1000'), await ask('9.8.7.6:1001'), await ask('9.8.7.6')]).toEqual([
      200, 429, 429,
    ]);
    expect([await ask('[2001:db8::1]:1000'), await ask('[2001:db8::2]'), await ask('2001:db8::3')]).toEqual([
      200, 429, 429,
    ]);
  });

  it('falls back to the peer where the header has too few entries', async () => {
    const ask = asks((await serve({ limiter: keyed(), trustedProxies: 2 })).url);
    expect([await ask('1.1.1.1'), await ask('2.2.2.2'), await ask('')]).toEqual([200, 429, 429]);
    expect([await ask(',1.1.1.1'), await ask(', 1.1.1.1')]).toEqual([429, 429]);
    expect([await ask('3.3.3.3,1.1.1.1'), await ask(`${'x,'.repeat(3_000)}4.4.4.4,1.1.1.1`)]).toEqual([
      200, 200,
    ]);
  });

  it('takes the IPv6 addresses of one /56 as one, and mapped IPv4 addresses as what they are', async () => {
    const ask = asks((await serve({ limiter: keyed(), trustedProxies: 1 })).url);
    expect(await ask('2001:db8:1:2200::1')).toBe(200);
    expect(await ask('2001:db8:1:22ff:ffff::1')).toBe(429);
    expect(await ask('2001:db8:1:2300::1')).toBe(200);
    expect(await ask('::1')).toBe(200);
    expect(await ask('0:0:0:0:0:0:0:2')).toBe(429);
    expect(await ask('::ffff:9.8.7.6')).toBe(200);
    expect(await ask('9.8.7.6')).toBe(429);
    expect(await ask('fe80::1%eth0')).toBe(200);
  });
});

describe('functions among the options', () => {
  it('give the key, the cost and what is skipped; what they throw goes to next', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 5 }, keys: { max: 100 } });
    const { url } = await serve({
      limiter,
      key: (request) => request.headers['x-user']?.toString(),
      cost: (request) => {
        if (request.url === '/throw') throw new Error('no cost');
        return request.url === '/heavy' ? 3 : 1;
      },
      skip: (request) => request.url === '/health',
    });
    const status = async (path: string, user = 'ann') =>
      (await fetch(url + path, { headers: { 'x-user': user } })).status;
    expect([await status('/heavy'), await status('/heavy'), await status('/heavy', 'bob')]).toEqual([
      200, 429, 200,
    ]);
    for (let i = 0; i < 10; i++) expect(await status('/health')).toBe(200);
    expect([await status('/'), await status('/'), await status('/')]).toEqual([200, 200, 429]);
    expect(await status('/throw')).toBe(500);
  });

  it('are checked like all options, by name', () => {
    const keyless = Limiter.create(Limiter.flashSale);
    for (const [options, kind] of [
      [{ limiter: {} }, TypeError],
      [{ cost: -1 }, RangeError],
      [{ oversizedStatus: 429 }, RangeError],
      [{ oversizedStatus: 500 }, RangeError],
      [{ skip: true }, TypeError],
      [{ count: 'none' }, RangeError],
      [{ overloadStatus: 500 }, RangeError],
      [{ trustedProxies: -1 }, RangeError],
      [{ ipv6Prefix: 129 }, RangeError],
      [{ keys: 'address' }, TypeError],
      [{ limiter: keyless, key: 'address' }, TypeError],
    ] as const) {
      expectError(
        thrown(() => limit(mistyped(options))),
        'ERR_SLUICE_OPTION',
        kind,
      );
    }
    const keyed = Limiter.create({ ...Limiter.flashSale, keys: { max: 10 } });
    expectError(
      thrown(() => fetchLimit(() => new Response(), { limiter: keyed })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
  });
});

describe('the header fields', () => {
  it('hold what structured fields can, whatever the figures', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 2 ** 32 - 1 } });
    const { headers } = await fetch((await serve({ limiter })).url);
    const [policy] = parseList(headers.get('ratelimit-policy') ?? '');
    expect(Object.fromEntries(policy?.[1] as Map<string, unknown>)).toEqual({
      q: 2 ** 32 - 1,
      w: 999_999_999_999_999,
    });
  });

  it('show the partition as its documentation defines it', async () => {
    const limiter = Limiter.create({ ...Limiter.flashSale, keys: { max: 10 } });
    const { headers } = await fetch((await serve({ limiter, key: () => 42 })).url);
    const [, parameters] = parseList(headers.get('ratelimit') ?? '')[0] ?? [];
    const expected = createHash('sha256').update('number:42').digest().subarray(0, 12);
    expect(Buffer.from((parameters as Map<string, ArrayBuffer>).get('pk') as ArrayBuffer)).toEqual(expected);
  });
});

describe('count', () => {
  it.each(['failed', 'successful'] as const)(
    'of the %s ones gives back the charges of all others',
    async (count) => {
      const limiter = Limiter.create({
        tokenBucket: { ratePerSecond: 1e-6, burst: 50 },
        slidingWindow: { limit: 60, windowMs: 1_000 },
        clock: new ManualClock(),
      });
      const { url } = await serve({ limiter, count, cost: 2 }, (request, response) => {
        response.statusCode = Number(request.url?.slice(1));
        response.end();
      });
      const counted = count === 'failed' ? [400, 404, 503] : [200, 204, 304, 399];
      for (const status of [200, 204, 304, 399, 400, 404, 503]) {
        await (await fetch(`${url}/${status}`)).arrayBuffer();
      }
      await until(() => limiter.peek().remaining === 50 - 2 * counted.length);
    },
  );

  it('gives back to a guest what it was charged', async () => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 1e-6, burst: 2 },
      keys: { max: 8 }, // the table is one set of 16 places
      clock: new ManualClock(),
    });
    for (let i = 0; i < 16; i++) limiter.allow(i);
    const { url } = await serve({ limiter, count: 'failed', key: (request) => request.url });
    for (let i = 0; i < 5; i++) {
      const response = await fetch(`${url}/${i}`);
      await response.arrayBuffer();
      expect(response.status).toBe(200);
      await until(() => limiter.peek({ key: `/${i}` }).remaining === 2);
    }
    expect(limiter.stats().overflowed).toBe(5);
  });
});

describe('without options', () => {
  it('limits to the flash-sale preset', async () => {
    const { url } = await serve({});
    const policy = (await fetch(url)).headers.get('ratelimit-policy');
    expect(policy).toBe(
      '"bucket";q=100;w=1, "window";q=120;w=1, "concurrency";q=50;qu="concurrent-requests"',
    );
  });
});
