/** Servers that allow one request for each client address, and requests to them. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Limiter, ManualClock } from 'sluice';
import { type LimitOptions, limit } from 'sluice/http';
import { afterEach } from 'vitest';

export const closing: Array<{ close(): Promise<unknown> }> = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((running) => running.close()));
});

export const one = () =>
  Limiter.create({
    tokenBucket: { ratePerSecond: 1e-6, burst: 1 },
    keys: { max: 100 },
    clock: new ManualClock(),
  });

export async function serve(
  options: LimitOptions<IncomingMessage>,
  where = { host: '127.0.0.1' } as { host?: string; path?: string },
) {
  const limited = limit(options);
  const server = createServer((incoming, response) =>
    limited(incoming, response, (error) => {
      if (error !== undefined) response.statusCode = 500;
      response.end();
    }),
  );
  return listenAt(server, where);
}
export async function listenAt(server: Server, where: { host?: string; path?: string }): Promise<number> {
  server.listen(where.path === undefined ? { port: 0, ...where } : where);
  await once(server, 'listening');
  closing.push({
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  });
  const address = server.address() as AddressInfo | string;
  return typeof address === 'string' ? 0 : address.port;
}
/** Returns the status of a request, sent with X-Forwarded-For if `forwarded` is given. */
export async function ask(to: object, forwarded?: string): Promise<number> {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  const sent = request({ host: '127.0.0.1', ...to, headers, agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}
