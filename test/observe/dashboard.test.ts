import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Stock } from 'sluice';
import { dashboard } from 'sluice/dashboard';
import { afterEach, describe, expect, it } from 'vitest';
import { pageModule } from '../../scripts/dashboard-page.js';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { shop } from './shop.js';

type Options = Partial<Parameters<typeof dashboard>[0]>;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function served(options: Options = {}) {
  const { queue, limiter, stock, gate } = shop();
  const board = dashboard({ queue, limiter, stock, gate, skus: [1], intervalMs: 100, ...options });
  const server = createServer(board.handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cookie = cookieOf(board.token);
  /** Sends a request, with the cookie unless `headers` has another one. */
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    new Promise<IncomingMessage>((resolve, reject) => {
      request({ port, path, method, headers: { cookie, ...headers } }, resolve)
        .on('error', reject)
        .end();
    });
  return { board, port, ask, queue, stock, gate };
}

/** The cookie that a browser has after it has opened the page with its token. */
function cookieOf(token: string): string {
  const name = createHash('sha256').update(token).digest('hex').slice(0, 8);
  return `sluice-dashboard-${name}=${token}`;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response) text += part;
  return text;
}

/** Returns the first events of a stream, and ends it. */
async function events(
  stream: IncomingMessage,
  count: number,
): Promise<Array<{ event: string; data: unknown }>> {
  let text = '';
  for await (const part of stream) {
    text += part;
    const complete = text.split('\n\n').slice(0, -1);
    if (complete.length >= count) {
      return complete.slice(0, count).map((one) => ({
        event: /^event: (.*)$/m.exec(one)?.[1] ?? '',
        data: JSON.parse(/^data: (.*)$/m.exec(one)?.[1] ?? 'null'),
      }));
    }
  }
  throw new Error(`the stream ended: ${text}`);
}

function dataOf<T>(event: { data: unknown } | undefined): T {
  return event?.data as T;
}

describe('the dashboard', () => {
  it('opens for the token, which it moves from the address to a cookie', async () => {
    const { board, ask } = await served();
    const response = await ask(`/?token=${board.token}`, { cookie: '' });
    expect(response.statusCode).toBe(303);
    expect(response.headers.location).toBe('?');
    expect(response.headers['set-cookie']).toEqual([
      `${cookieOf(board.token)}; HttpOnly; SameSite=Strict; Path=/`,
    ]);
    expect(response.headers['referrer-policy']).toBe('no-referrer');
    expect((await ask('/')).statusCode).toBe(200);
  });

  it.each([
    ['no cookie and no token', '/', {}],
    ['a wrong token', '/?token=0123456789012345', {}],
    ['a wrong cookie', '/', { cookie: cookieOf('the-right-token-1').replace(/=.*/, '=0123456789012345') }],
    ['the token in a cookie of another name', '/', { cookie: 'sluice-dashboard=the-right-token-1' }],
    ['cookies that are none', '/', { cookie: '=;;; =the-right-token-1; ,' }],
    ['the stream without a cookie', '/events', {}],
    ['an empty cookie', '/', { cookie: cookieOf('the-right-token-1').replace(/=.*/, '=') }],
    ['a token that is no text', '/?token=%E0%A4%A', {}],
    ['a very long token', `/?token=${'a'.repeat(10_000)}`, {}],
  ])('is closed to %s', async (_, path, headers) => {
    const { ask } = await served({ token: 'the-right-token-1' });
    const response = await ask(path, { cookie: '', ...headers });
    expect(response.statusCode).toBe(401);
    expect(await textOf(response)).not.toContain('the-right-token-1');
  });

  it('takes its own cookie among those of other programs on this host', async () => {
    const [one, two] = [await served(), await served()];
    const both = `${cookieOf(one.board.token)}; ${cookieOf(two.board.token)}`;
    for (const { ask } of [one, two]) expect((await ask('/', { cookie: both })).statusCode).toBe(200);
    const planted = `${cookieOf(one.board.token).replace(/=.*/, '=x')}; ${both}`;
    expect((await one.ask('/', { cookie: planted })).statusCode).toBe(200);
  });

  it.each(['evil.example', 'evil.example:80', 'localhost.evil.example', '127.0.0.1.evil.example:8080'])(
    'refuses the host %s, which may have been rebound to this machine',
    async (host) => {
      const { board, ask } = await served();
      for (const path of ['/', '/events', `/?token=${board.token}`]) {
        expect((await ask(path, { host })).statusCode).toBe(421);
      }
    },
  );

  it('is served under the names of `hosts` only', async () => {
    const { ask } = await served({ hosts: ['Sale.Example'] });
    expect((await ask('/', { host: 'sale.example:8443' })).statusCode).toBe(200);
    expect((await ask('/', { host: 'localhost' })).statusCode).toBe(421);
  });

  it('is read only, and has no other pages', async () => {
    const { ask } = await served();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await ask('/', {}, method);
      expect([response.statusCode, response.headers.allow]).toEqual([405, 'GET, HEAD']);
    }
    expect((await ask('/page.js')).statusCode).toBe(404);
    expect(await textOf(await ask('/', {}, 'HEAD'))).toBe('');
  });

  it('allows the scripts and styles of this answer only, and shows a title as text', async () => {
    const { ask } = await served({ title: '</title><script>alert(1)</script>' });
    const pages = await Promise.all([ask('/'), ask('/')]);
    const [first, second] = pages.map(({ headers }) => headers['content-security-policy'] as string);
    expect(first).toMatch(
      /^default-src 'none'; script-src 'nonce-([^']{20,})'; style-src 'nonce-\1'; connect-src 'self'/,
    );
    expect(first).toContain("frame-ancestors 'none'");
    expect(first).not.toBe(second);
    const nonce = /'nonce-([^']+)'/.exec(first ?? '')?.[1];
    const text = await textOf(pages[0] as IncomingMessage);
    const tags = text.match(/<(?:script|style)\b[^>]*>/g);
    expect(tags).toEqual([
      `<style nonce="${nonce}">`,
      `<script nonce="${nonce}">`,
      `<script nonce="${nonce}">`,
    ]);
    expect(text).toContain('<title>&#60;/title&#62;&#60;script&#62;');
    expect(text).toContain('The MIT License');
    expect(text).not.toMatch(/%[A-Z]+%|https?:\/\/(?!github)/);
  });

  it('streams frames: first the history, then one each interval', async () => {
    const { ask } = await served();
    const [history, first, second] = await events(await ask('/events'), 3);
    expect(history).toEqual({ event: 'history', data: [] });
    expect([first?.event, second?.event]).toEqual(['frame', 'frame']);
    expect(first?.data).toMatchObject({
      queue: { depth: 3, capacity: 8, waiting: 0, in: 0, out: 0, waits: { p99: null } },
      inHand: 0,
      inFlight: 3,
      refused: 0,
      stock: [{ item: '1', available: 7, reserved: 3, sold: 0 }],
      workers: [{ name: `this process: ${process.pid}`, state: 'up' }],
      notices: [],
    });
    const { outcomes } = dataOf<{ outcomes: unknown[] }>(first);
    expect(outcomes).toContainEqual({ name: 'rate-limited', rate: 0, total: 1 });
  });

  it('has rates and waits of the last interval', async () => {
    const { ask, queue } = await served();
    const stream = await ask('/events');
    queue.tryPop(); // waited for 2 ms of the manual clock
    const [, frame] = await events(stream, 2);
    const shown = dataOf<{ queue: { out: number; waits: { p50: number } } }>(frame).queue;
    expect(shown.out).toBeGreaterThan(0);
    expect(Math.abs(shown.waits.p50 / 2 - 1)).toBeLessThan(1 / 64);
  });

  it('notes that an item is sold out, which is no alarm; a full queue is one', async () => {
    const { ask, queue, stock } = await served();
    while (stock.reserve({ sku: 1, quantity: 1 }).ok);
    while (queue.tryPush({ id: 1n, user: 1, sku: 1, quantity: 1, note: '' }));
    const [, frame] = await events(await ask('/events'), 2);
    expect(dataOf<{ notices: unknown[] }>(frame).notices).toEqual([
      { isAlarm: true, text: 'The queue is more than 80 % full: consumers do not keep up.' },
      { isAlarm: false, text: 'Nothing is available, but held units may come back: item 1.' },
    ]);
  });

  it('names at most ten of the items that are sold out', async () => {
    const items = Array.from({ length: 1_000 }, (_, i) => ({ sku: i + 1, quantity: 1 }));
    const stock = Stock.create({ items });
    for (const { sku } of items.slice(0, 50)) {
      const one = stock.reserve({ sku, quantity: 1 });
      if (one.ok) stock.confirm(one.reservation);
    }
    const { ask } = await served({ stock, skus: items.map(({ sku }) => sku) });
    const [, frame] = await events(await ask('/events'), 2);
    const { stock: rows, notices } = dataOf<{ stock: unknown[]; notices: unknown[] }>(frame);
    expect(rows).toHaveLength(101);
    expect(notices).toEqual([
      { isAlarm: false, text: 'Sold out: items 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 40 more.' },
    ]);
  });

  it('takes 16 viewers, and lets the next one in when one leaves', async () => {
    const { ask } = await served();
    const viewers = await Promise.all(Array.from({ length: 16 }, () => ask('/events')));
    expect(viewers.map(({ statusCode }) => statusCode)).toEqual(Array(16).fill(200));
    const refused = await ask('/events');
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '10']);
    viewers[0]?.destroy();
    let status = 503;
    for (let i = 0; i < 200 && status === 503; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const next = await ask('/events');
      status = next.statusCode ?? 0;
      if (status === 503) next.resume();
    }
    expect(status).toBe(200);
  });

  it('lets a viewer that does not read miss frames, and keeps what it has not sent bounded', async () => {
    const { queue } = shop();
    const { handler, token } = dashboard({
      queue,
      intervalMs: 100,
      workers: () => Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`${i}`.padEnd(300), 0])),
    });
    const unsent: number[] = [];
    const server = createServer((incoming, response) => {
      handler(incoming, response);
      if (!incoming.url?.startsWith('/events')) return;
      const write = response.write.bind(response);
      const counted = (text: string) => {
        unsent.push(response.writableLength);
        return write(text);
      };
      Object.assign(response, { write: counted });
      response.cork(); // as if the socket took nothing
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const stream = get({ port, path: '/events', headers: { cookie: cookieOf(token) } });
    stream.on('error', () => {});
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    stream.destroy();
    expect(unsent.length).toBeGreaterThan(0);
    expect(unsent.length).toBeLessThan(8);
    expect(Math.max(...unsent)).toBeLessThan(65_536);
  });

  it('ends its streams when it is closed', async () => {
    const { board, ask } = await served();
    const stream = await ask('/events');
    board.close();
    expect(await textOf(stream)).toContain('event: history');
    expect((await ask('/events')).statusCode).toBe(503);
  });

  it('shows what is left when parts are disposed of', async () => {
    const { ask, gate } = await served();
    gate[Symbol.dispose]();
    const [, frame] = await events(await ask('/events'), 2);
    expect(frame?.data).not.toHaveProperty('outcomes');
    expect(frame?.data).toHaveProperty('queue');
  });

  it('refuses bad options, and shows no token', () => {
    const { queue } = shop();
    for (const [options, message] of [
      [{}, 'dashboard: expected a queue'],
      [{ queue, tokens: 'x' }, 'unknown option "tokens"'],
      [{ queue, token: 'too-short' }, 'dashboard: token'],
      [{ queue, token: 'has spaces in it, so it is no cookie' }, 'dashboard: token'],
      [{ queue, hosts: [] }, 'dashboard: hosts'],
      [{ queue, hosts: ['localhost:80'] }, 'dashboard: hosts[0]'],
      [{ queue, hosts: ['*'] }, 'dashboard: hosts[0]'],
      [{ queue, intervalMs: 10 }, 'dashboard: intervalMs'],
      [{ queue, title: 'two\nlines' }, 'dashboard: title'],
      [{ queue, crew: {} }, 'dashboard: crew: expected an object with stats()'],
      [{ queue, workers: {} }, 'dashboard: workers: expected a function'],
      [{ queue, redis: {} }, 'dashboard: redis: expected an object with a queue, workers, or both'],
      [{ queue, redis: { stats: () => ({}) } }, 'dashboard: redis: unknown option "stats"'],
      [{ queue, redis: { queue: { stats: () => ({}) } } }, 'dashboard: redis.queue: expected'],
      [{ queue, redis: { workers: null } }, 'dashboard: redis.workers: expected'],
      [{ queue, labels: {} }, 'dashboard: labels'],
    ] as const) {
      const error = thrown(() => dashboard(mistyped(options)));
      expectError(error, 'ERR_SLUICE_OPTION');
      expect(error.message).toContain(message);
      if ('token' in options) expect(error.message).not.toContain(options.token);
    }
  });
});

it('lib/observe/dashboard-page.ts is what scripts/dashboard-page.js writes', () => {
  const written = readFileSync(new URL('../../lib/observe/dashboard-page.ts', import.meta.url), 'utf8');
  expect(written === pageModule()).toBe(true);
});
