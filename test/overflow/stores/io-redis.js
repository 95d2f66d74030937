import { once } from 'node:events';
import { Redis } from 'ioredis';
import { ioRedis } from 'sluice/redis';
import { forIoRedis } from '../../redis/client-options.js';
import { storeAt } from './redis.js';

export const make = (directory, options) =>
  storeAt(directory, options, async (port) => {
    const client = new Redis(port, '127.0.0.1', forIoRedis);
    client.on('error', () => {}); // the commands are rejected
    await once(client, 'ready');
    return ioRedis(client);
  });
