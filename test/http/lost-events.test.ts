/**
 * Node.js 20 and 22 emit no event for some HTTP/2 streams that a client resets and whose connection it then closes, and
 * Node.js 20.19 throws if an answer is written to them.
 */
import { EventEmitter } from 'node:events';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter } from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { limit } from 'sluice/http';
import { describe, expect, it, vi } from 'vitest';
import { markUpgrade, onResponseEnd, onUpgradeEnd } from '../../dist/http/response-end.js';
import { mistyped } from '../mistyped.js';

const patience = { timeout: 50_000 };

/** An HTTP/2 response as Node.js makes it, which emits only what a test emits. */
function response() {
  const socket = Object.assign(new EventEmitter(), { destroyed: false });
  const stream = { closed: false, rstCode: 0, state: {} as { state?: number } };
  const made = Object.assign(new EventEmitter(), {
    destroyed: false,
    writableFinished: false,
    headersSent: true,
    statusCode: 200,
    stream,
    req: { socket },
  });
  return { made, stream };
}
function ended(made: object): number[] {
  const statuses: number[] = [];
  onResponseEnd(mistyped(made), (status: number) => statuses.push(status));
  return statuses;
}

describe('the end of an HTTP/2 response', () => {
  it('is noticed when its stream is closed, even if no event is emitted', async () => {
    const [lost, open] = [response(), response()];
    const statuses = ended(lost.made);
    const others = ended(open.made);
    lost.stream.closed = true;
    await vi.waitFor(() => expect(statuses).toEqual([499]), patience);
    expect(lost.made.listenerCount('close') + lost.made.listenerCount('finish')).toBe(0);
    expect(others).toEqual([]);
    open.stream.closed = true;
    await vi.waitFor(() => expect(others).toEqual([499]), patience);
    expect(statuses).toEqual([499]);
  });

  it('is not there while the stream is closed, but its answer is still being sent', async () => {
    const { made, stream } = response();
    const statuses = ended(made);
    const over = response();
    const others = ended(over.made);
    stream.state = { state: 2 };
    stream.closed = over.stream.closed = true;
    await vi.waitFor(() => expect(others).toEqual([499]), patience);
    expect(statuses).toEqual([]);
    stream.state = { state: 1 };
    await vi.waitFor(() => expect(statuses).toEqual([499]), patience);
  });

  it('is of HTTP/2: a program may give another response a property `stream`', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 1 } });
    const { made } = response();
    const written = Object.assign(made, {
      headersSent: false,
      setHeader: () => {},
      stream: { closed: true },
    });
    let passed = 0;
    limit({ limiter, headers: false })(
      mistyped({ ...made.req, headers: {} }),
      mistyped(written),
      () => passed++,
    );
    expect(passed).toBe(1);
  });

  it('is noticed by its event, and then no more', async () => {
    const { made, stream } = response();
    const statuses = ended(made);
    Object.assign(made, { headersSent: true, writableFinished: true });
    stream.closed = true;
    made.emit('finish');
    made.emit('close');
    const other = response();
    const others = ended(other.made);
    other.stream.closed = true;
    await vi.waitFor(() => expect(others).toEqual([499]), patience);
    expect(statuses).toEqual([200]);
  });
});

describe('an HTTP/2 request whose stream is closed', () => {
  const unwritable = () => {
    const { made, stream } = response();
    const refuse = (): never => {
      throw new Error('ERR_HTTP2_INVALID_STREAM');
    };
    const written = Object.assign(made, { headersSent: false, setHeader: refuse, end: refuse });
    return { written, stream, request: { ...made.req, headers: {}, stream } };
  };

  it.each([
    ['before its limit is asked', 0, true],
    ['while it is decided, and it would be let through', 1, false],
    ['while it is decided, and it would be refused', 0, false],
  ])('%s is not decided about, answered or handled', async (_, room, isClosed) => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 1 } });
    if (room === 0) limiter.allow();
    const { written, stream, request } = unwritable();
    stream.closed = isClosed;
    const passed: unknown[] = [];
    const middleware = limit({ limiter, ...(!isClosed && { skip: () => delay(5, false) }) });
    middleware(mistyped(request), mistyped(written), (error) => passed.push(error));
    stream.closed = true;
    await delay(20);
    expect(passed).toEqual([]);
    expect(written.statusCode).toBe(499);
    expect(limiter.stats()).toMatchObject({ allowed: 1 - room });
  });
});

describe('an upgrade', () => {
  const socket = (writableFinished = false) =>
    Object.assign(new EventEmitter(), { destroyed: false, writableFinished });

  it('has ended when the server has ended its half of the connection, and only once', () => {
    const open = socket();
    const statuses: number[] = [];
    onUpgradeEnd(
      mistyped({ socket: open }),
      () => 101,
      (status: number) => statuses.push(status),
    );
    expect(statuses).toEqual([]);
    open.emit('finish');
    open.emit('close');
    expect(statuses).toEqual([101]);
    onUpgradeEnd(
      mistyped({ socket: socket(true) }),
      () => undefined,
      (status: number) => statuses.push(status),
    );
    expect(statuses).toEqual([101, 499]);
  });

  it('whose answer goes past its response has ended with the half of the server, too', () => {
    const open = socket();
    const request = { socket: open };
    const statuses: number[] = [];
    markUpgrade(mistyped(request), () => 401);
    const answer = Object.assign(new EventEmitter(), {
      destroyed: false,
      writableFinished: false,
      req: request,
    });
    onResponseEnd(mistyped(answer), (status: number) => statuses.push(status));
    open.emit('finish');
    open.emit('close');
    expect(statuses).toEqual([401]);
    expect(open.listenerCount('finish')).toBe(0);
  });

  it('is not decided about once its client has left', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 5 } });
    const incoming = new IncomingMessage(new Socket());
    incoming.headers.upgrade = 'websocket';
    let handled = 0;
    const limited = fetchLimit(
      async (_request: Request, _env: unknown) => {
        handled++;
        return new Response();
      },
      { limiter },
    );
    await limited(new Request('http://x/'), { incoming });
    incoming.socket.destroy();
    await limited(new Request('http://x/'), { incoming });
    expect(handled).toBe(1);
    expect(limiter.stats().allowed).toBe(1);
  });
});
