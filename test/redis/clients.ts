import { once } from 'node:events';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { ioRedis, nodeRedis, type RedisPort } from 'sluice/redis';
import { forIoRedis, forNodeRedis } from './client-options.js';

/** The clients that the tests use: both packages, with both versions of the protocol. */
export const clients = ['redis RESP 2', 'redis RESP 3', 'ioredis RESP 2', 'ioredis RESP 3'] as const;
export type Client = (typeof clients)[number];

const opened = new Set<RedisPort>();

/** Connects to the port of a server, or of a proxy before it. */
export async function connect(port: number, client: Client = 'redis RESP 3'): Promise<RedisPort> {
  const resp = client.endsWith('2') ? 2 : 3;
  const made = client.startsWith('redis') ? await byNodeRedis(port, resp) : await byIoRedis(port, resp);
  opened.add(made);
  return made;
}

/** Closes all connections of the test file. For `afterEach` or `afterAll`. */
export function disconnect(): void {
  for (const port of opened) port.close();
  opened.clear();
}

async function byNodeRedis(port: number, RESP: 2 | 3): Promise<RedisPort> {
  const client = createClient({ ...forNodeRedis(port), RESP });
  client.on('error', () => {}); // the commands are rejected
  await client.connect();
  return nodeRedis(client);
}

async function byIoRedis(port: number, protocol: 2 | 3): Promise<RedisPort> {
  const client = new Redis(port, '127.0.0.1', { ...forIoRedis, protocol });
  client.on('error', () => {}); // the commands are rejected
  await once(client, 'ready');
  return ioRedis(client);
}
