import { once } from 'node:events';
import { Redis } from 'ioredis';
import { ioRedis } from 'sluice/redis';
import { storeAt } from './redis.js';

export const make = (directory, options) =>
  storeAt(directory, options, async (port) => {
    const client = new Redis(port, '127.0.0.1', {
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (tries) => Math.min(tries * 20, 100),
    });
    client.on('error', () => {}); // the commands are rejected
    await once(client, 'ready');
    return ioRedis(client);
  });
