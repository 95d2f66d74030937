import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { ioRedis, nodeRedis, type RedisPort } from 'sluice/redis';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { order } from '../gate/order.js';
import { forIoRedis, forNodeRedis } from './client-options.js';
import { openCounter, runOf } from './gate/counter.js';
import { TcpProxy } from './proxy.js';
import { until } from './scene.js';
import { endServers, Server, servers } from './servers.js';
import { leaveSales } from './stock/sales.js';

const directory = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
const made = spawnSync('openssl', [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
  ...[
    '-subj',
    '/CN=127.0.0.1',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
    '-keyout',
    keyFile,
    '-out',
    certFile,
  ],
]);
/** The server has no port without TLS: a connection that forgets the options of its client fails. */
const args = ({ port }: Server): string[] => [
  ...['--port', '0', '--tls-port', `${port}`, '--tls-auth-clients', 'no', '--tls-cert-file', certFile],
  ...['--tls-key-file', keyFile, '--tls-ca-cert-file', certFile],
];

const closers: Array<() => void | Promise<void>> = [];
afterEach(async () => {
  await leaveSales();
  for (const close of closers.splice(0)) await close();
});
afterAll(async () => {
  await endServers();
  rmSync(directory, { recursive: true });
});

/** How a program gives its client the certificate: by options, or beside a URL. */
const ways = ['redis', 'redis by URL', 'ioredis', 'ioredis by URL'] as const;

async function connect(port: number, way: (typeof ways)[number], ca: string): Promise<RedisPort> {
  const url = `rediss://127.0.0.1:${port}`;
  if (way.startsWith('redis')) {
    const { socket, ...options } = forNodeRedis(port);
    const { host: _, port: __, ...rest } = socket;
    const byUrl = { url, ...options, socket: { tls: true as const, ca, ...rest } };
    const byOptions = { ...options, socket: { tls: true as const, ca, ...socket } };
    const client = createClient(way === 'redis' ? byOptions : byUrl);
    closers.push(() => client.destroy());
    client.on('error', () => {});
    await client.connect();
    return nodeRedis(client);
  }
  const options = { ...forIoRedis, tls: { ca } };
  const client = way === 'ioredis' ? new Redis(port, '127.0.0.1', options) : new Redis(url, options);
  closers.push(() => client.disconnect());
  client.on('error', () => {});
  await once(client, 'ready');
  return ioRedis(client);
}

// A server that was built without TLS does not know the settings, and ends.
const withTls = await Promise.all(
  servers.map(async ({ binary, missing }) => {
    const isPossible = !missing && made.status === 0;
    return {
      binary,
      server: isPossible ? await Server.start(binary, args).catch(() => undefined) : undefined,
    };
  }),
);

describe.each(withTls)('Over TLS to $binary', ({ server }) => {
  it.skipIf(server === undefined).each(ways)(
    'a sale is opened, sold and handled, also on connections that replace dead ones: %s',
    async (way) => {
      const proxy = await TcpProxy.before(server?.port ?? 0);
      const ca = readFileSync(certFile, 'utf8');
      const redis = await connect(proxy.port, way, ca);
      const counter = await openCounter(redis, { items: [{ sku: 1, quantity: 9 }], timeoutMs: 2_000 });
      const handled: bigint[] = [];
      const workers = counter.cashiers();
      const run = runOf(workers, ({ id }) => void handled.push(id));
      expect(await counter.gate.admit(order(1))).toMatchObject({ outcome: 'admitted' });
      await until('it is handled', () => handled.length === 1);
      // All connections are dead without a word; the watchdogs of stock and workers make others.
      proxy.isHole = true;
      expect(await counter.gate.admit(order(2))).toEqual({ outcome: 'unavailable' });
      await until('a silence is noticed', () => workers.stats().silences > 0);
      proxy.isHole = false;
      for (let outcome = ''; outcome !== 'admitted'; ) ({ outcome } = await counter.gate.admit(order(2)));
      await until('both are sold', async () => (await counter.stock.counts(1)).sold === 2, 20_000);
      await until('the stream is empty', async () => (await counter.depth().catch(() => 1)) === 0, 20_000);
      await run.end();
      expect(handled).toEqual([1n, 2n]);
      expect(await counter.stock.audit()).toEqual({ items: 1, held: 0 });
      await leaveSales();
      await proxy.close();
    },
  );
});
