import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { OrderServer } from '../../examples/flash-sale/server.js';
import { mistyped } from '../mistyped.js';

type Limits = ConstructorParameters<typeof OrderServer>[1];
const closing: Array<() => Promise<void>> = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Opened {
  readonly socket: Socket;
  /** Resolves when the socket is closed, in whatever way. */
  readonly closed: Promise<void>;
}

async function started(limits?: Limits): Promise<{ url: string; open: (text?: string) => Promise<Opened> }> {
  const server = new OrderServer(() => mistyped({ status: 201, outcome: 'admitted', body: {} }), limits);
  const url = await server.listen();
  const sockets: Socket[] = [];
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });
  return {
    url,
    open: async (text = '') => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => {}); // the server resets it
      // The server may cut the connection off before other connections are open, so its end is awaited from the start.
      const closed = new Promise<void>((resolve) => {
        socket.resume().once('close', () => resolve());
      });
      await once(socket, 'connect');
      socket.write(text);
      return { socket, closed };
    },
  };
}
const ordered = async (url: string): Promise<number> => {
  const response = await fetch(`${url}/orders`, {
    method: 'POST',
    body: '{}',
    headers: { connection: 'close' },
  });
  await response.arrayBuffer();
  return response.status;
};
const head = 'POST /orders HTTP/1.1\r\nHost: x\r\n';

describe('the server of the example', () => {
  it.each([
    ['a header that does not end', head],
    ['a body that does not come', `${head}Content-Length: 9\r\n\r\n{`],
    ['silence', ''],
  ])('cuts off 400 connections with %s, and answers others meanwhile', async (_, text) => {
    const { url, open } = await started({ headersMs: 1_000, requestMs: 1_500, idleMs: 1_500, checkMs: 50 });
    const opened = await Promise.all(Array.from({ length: 400 }, () => open(text)));
    expect(await ordered(url)).toBe(201);
    await Promise.all(opened.map(({ closed }) => closed));
  });

  it('has the bounds of which its page speaks, unless told otherwise', async () => {
    const { open } = await started();
    const { closed } = await open(head);
    await closed; // within the time of a test, 60 s; by default Node.js waits for 60 to 90 s
  });

  it('closes a connection beyond its limit, and takes one again after another has ended', async () => {
    const { url, open } = await started({ connections: 3 });
    const [first] = await Promise.all([open(), open(), open()]);
    await (await open(head)).closed;
    first.socket.end();
    await first.closed;
    expect(await ordered(url)).toBe(201);
  });

  it('refuses a header beyond 4 KiB, and a body beyond 1 KiB', async () => {
    const { url } = await started();
    const long = await fetch(`${url}/orders`, { method: 'POST', headers: { cookie: 'x'.repeat(5_000) } });
    expect(long.status).toBe(431);
    const big = await fetch(`${url}/orders`, { method: 'POST', body: 'x'.repeat(1_025) });
    expect(big.status).toBe(413);
  });
});
