import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter, ManualClock } from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { limit } from 'sluice/http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { closedAfterEach } from './closing.js';
import { frameworks } from './frameworks.js';

const closing = closedAfterEach();
const sockets: Socket[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const socket of sockets.splice(0)) socket.destroy();
});

const fakeTimers = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}

/** Starts a client that announces a body of 4 bytes and sends none of them. */
async function idleUpload(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  sockets.push(socket);
  await once(socket, 'connect');
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n');
  return socket;
}

describe.each(Object.entries(frameworks))('holdMs: %s', (_name, start) => {
  const serve = async (limiter: Limiter, count: 'all' | 'failed' = 'all') => {
    const answer = async () => ({ status: 200, body: 'fine' });
    const running = await start({ limiter, count, holdMs: 1_000 }, answer);
    closing.push(running);
    const status = async () => {
      const response = await fetch(running.url);
      await response.arrayBuffer();
      return response.status;
    };
    return { ...running, status };
  };

  it('bounds for how long idle uploads refuse the others', async () => {
    fakeTimers();
    const limiter = Limiter.create({ queueDepth: { max: 8 } });
    limiter.allow(undefined, 3);
    const { port, status } = await serve(limiter);
    const uploads = await Promise.all(Array.from({ length: 5 }, () => idleUpload(port)));
    await until(() => limiter.stats().inFlight === 8);
    vi.advanceTimersByTime(999);
    expect(await status()).toBe(429);
    vi.advanceTimersByTime(1);
    expect(limiter.stats().inFlight).toBe(3);
    expect(await status()).toBe(200);
    // The uploads go on. When they end, they do not give their places back a second time.
    const answers = uploads.map(async (socket) => (await once(socket, 'data'))[0] as string);
    for (const socket of uploads) socket.write('body');
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    await until(() => limiter.stats().inFlight === 3);
    expect(await status()).toBe(200);
    await until(() => limiter.stats().inFlight === 3);
    limiter.release(3);
  });

  it('leaves to the end what `count` decides', async () => {
    fakeTimers();
    const limiter = Limiter.create({
      queueDepth: { max: 8 },
      tokenBucket: { ratePerSecond: 1e-6, burst: 5 },
      clock: new ManualClock(),
    });
    const { port } = await serve(limiter, 'failed');
    const [done, gone] = [await idleUpload(port), await idleUpload(port)];
    await until(() => limiter.stats().inFlight === 2);
    vi.advanceTimersByTime(1_000);
    expect(limiter.stats().inFlight).toBe(0);
    expect(limiter.peek().remaining).toBe(3);
    done.write('body');
    await until(() => limiter.peek().remaining === 4);
    gone.destroy();
    limiter.allow();
    expect(limiter.stats().inFlight).toBe(1);
  });

  it('sets one timer a request, which does not outlast its response', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 8 } });
    const { port } = await serve(limiter);
    const [set, cleared] = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'clearTimeout')];
    const upload = await idleUpload(port);
    await until(() => limiter.stats().inFlight === 1);
    const [timer, ...others] = set.mock.results.filter((_, i) => set.mock.calls[i]?.[1] === 1_000);
    expect(others).toEqual([]);
    upload.destroy();
    await until(() => limiter.stats().inFlight === 0);
    expect(cleared.mock.calls.filter(([one]) => one === timer?.value)).toHaveLength(1);
  });
});

describe('holdMs', () => {
  const never = () => new Promise<Response>(() => {});
  const request = () => new Request('http://x/');

  it('works with the timers of the machine, and keeps no process alive', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    const limiter = Limiter.create({ queueDepth: { max: 8 } });
    void fetchLimit(never, { limiter, holdMs: 1.5 })(request());
    expect(set.mock.calls.map(([, ms]) => ms)).toEqual([2]);
    expect((set.mock.results[0]?.value as NodeJS.Timeout | undefined)?.hasRef()).toBe(false);
    expect(limiter.stats().inFlight).toBe(1);
    await until(() => limiter.stats().inFlight === 0);
  });

  it('sets no timer where nothing is held', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    const limiter = Limiter.create({ slidingWindow: { limit: 5, windowMs: 1_000 } });
    for (const count of ['all', 'failed'] as const) {
      void fetchLimit(never, { limiter, count, holdMs: 5 })(request());
    }
    expect(limiter.peek().remaining).toBe(3);
    expect(set).not.toHaveBeenCalled();
  });

  it('does nothing to a limiter that has been disposed of meanwhile', () => {
    fakeTimers();
    const limiter = Limiter.create({ queueDepth: { max: 8 } });
    void fetchLimit(never, { limiter, holdMs: 5 })(request());
    limiter[Symbol.dispose]();
    vi.advanceTimersByTime(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    [0, RangeError],
    [0.5, RangeError],
    [-1, RangeError],
    [Number.NaN, RangeError],
    [2 ** 31, RangeError],
    [Number.POSITIVE_INFINITY, RangeError],
    ['5', TypeError],
    [null, TypeError],
    [5n, TypeError],
  ])('is a number of milliseconds that a timer can wait, not %s', (holdMs, kind) => {
    const error = thrown(() => limit(mistyped({ holdMs })));
    expectError(error, 'ERR_SLUICE_OPTION', kind);
    expect(error.message).toContain('limit: holdMs');
  });
});
