import { createClient } from 'redis';
import { nodeRedis } from 'sluice/redis';
import { storeAt } from './redis.js';

export const make = (directory, options) =>
  storeAt(directory, options, async (port) => {
    const reconnectStrategy = (tries) => Math.min(tries * 20, 100);
    const socket = { host: '127.0.0.1', port, reconnectStrategy };
    const client = createClient({ socket, disableOfflineQueue: true });
    client.on('error', () => {}); // the commands are rejected
    await client.connect();
    return nodeRedis(client);
  });
