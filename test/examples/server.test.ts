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

async function started(limits?: Limits): Promise<{ url: string; open: (text?: string) => Promise<Socket> }> {
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
      await once(socket, 'connect');
      socket.write(text);
      return socket;
    },
  };
}
/** Resolves when the socket is closed, in whatever way. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.resume().once('close', () => resolve());
  });
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
    const { url, open } = await started({ headersMs: 200, requestMs: 300, idleMs: 300, checkMs: 50 });
    const sockets = await Promise.all(Array.from({ length: 400 }, () => open(text)));
    const all = sockets.map(closed);
    expect(await ordered(url)).toBe(201);
    await Promise.all(all);
  });

  it('has the bounds of which its page speaks, unless told otherwise', async () => {
    const { open } = await started();
    const socket = await open(head);
    await closed(socket); // within vitest's five seconds; by default Node.js waits for 60 to 90 s
  });

  it('closes a connection beyond its limit, and takes one again after another has ended', async () => {
    const { url, open } = await started({ connections: 3 });
    const sockets = await Promise.all([open(), open(), open()]);
    await closed(await open(head));
    const gone = closed(sockets[0] as Socket);
    (sockets[0] as Socket).end();
    await gone;
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
